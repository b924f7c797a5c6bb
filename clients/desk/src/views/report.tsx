// All about one alarm, to be read and printed: what happened, who was told, who took it, and whether the record holds.

import { useEffect, useState } from 'preact/hooks';
import { checkBundle, type CheckedBundle } from '../proof';
import type { Desk } from '../desk';
import { recall } from '../memory';
import { wordIn } from '../texts';
import { dated } from '../time';
import type { Alarm, SiteGuide } from '../types';
import { Icon } from './icon';
import { aboutEvent, endpointName, resultOf } from './told';

interface Props {
  desk: Desk;
  alarm: Alarm;
}

export function ReportView({ desk, id }: { desk: Desk; id: string }) {
  const [alarm, setAlarm] = useState<Alarm | null>(null);
  const [failure, setFailure] = useState('');
  const heard = desk.board.heard.get(id); // an alarm that is still open goes on
  useEffect(() => {
    let wanted = true;
    desk.api.alarm(id).then(
      (story) => {
        if (story.guide) desk.guides.set(story.site.id, story.guide);
        if (!wanted) return;
        setAlarm(story);
        setFailure('');
      },
      (error: unknown) => wanted && setFailure(desk.unread(error)),
    );
    return () => { wanted = false; };
  }, [id, heard]);
  return (
    <div class="report" data-report={alarm?.id}>
      <p role="alert" class="failure">{failure}</p>
      {alarm && <Report desk={desk} alarm={alarm} />}
    </div>
  );
}

function Report({ desk, alarm }: Props) {
  const guide = alarm.guide;
  const printed = dated(desk.api.nowMs(), desk.language, guide?.time_zone);
  return (
    <article>
      <p class="buttons">
        <button class="primary" data-do="print" onClick={() => print()}>{desk.say('report.print')}</button>
        {desk.account?.may_read_journal && (
          <>
            <a href={`#/replay/${alarm.id}`}>{desk.say('nav.replay')}</a>
            <a href={`#/replay/${alarm.id}/today`}>{desk.say('compare.title')}</a>
            <a href={`/api/v1/${desk.api.bundlePath(alarm.id)}`} download>{desk.say('report.bundle')}</a>
          </>
        )}
      </p>
      <h1>
        {alarm.mode !== 'real' && <span class="mode">{desk.say(`mode.${alarm.mode}`)} </span>}
        <Icon kind={alarm.kind} /> {desk.say(`kind.${alarm.kind}`)} · <bdi>{alarm.site.name ?? alarm.site.id}</bdi>
      </h1>
      {alarm.mode !== 'real' && <p class="notreal">{desk.say(`alarm.notreal.${alarm.mode}`)}</p>}
      <Facts desk={desk} alarm={alarm} />
      <Presses desk={desk} alarm={alarm} />
      <WasTold desk={desk} alarm={alarm} />
      <Course desk={desk} alarm={alarm} guide={guide} />
      {desk.account?.may_read_journal && <RecordTable desk={desk} alarm={alarm} />}
      <p class="foot"><small>{desk.say('report.made', { time: printed, who: desk.account?.name ?? '' })}</small></p>
    </article>
  );
}

/** Who did it, and when: the first line of that type says it. */
function Facts({ desk, alarm }: Props) {
  const time = (at: string) => dated(at, desk.language, alarm.guide?.time_zone);
  const deed = (type: string) => {
    const event = alarm.events?.find((e) => e.type === type);
    return event && <><bdi>{event.by}</bdi>, {time(event.at)}</>;
  };
  const disposition = alarm.disposition && ` – ${desk.say(`disposition.${alarm.disposition}`)}`;
  const rows = [
    ['report.id', alarm.id], ['way.address', <bdi>{alarm.site.address ?? '–'}</bdi>], ['report.opened', time(alarm.opened_at)],
    ['event.acknowledged', deed('acknowledged')], ['event.coming', deed('coming')], ['event.on_scene', deed('on_scene')],
    ['event.closed', <>{deed('closed') ?? '–'}<b>{disposition}</b></>],
  ] as const;
  return <dl>{rows.map(([key, value]) => <><dt key={key}>{desk.say(key)}</dt><dd>{value ?? '–'}</dd></>)}</dl>;
}

function Presses({ desk, alarm }: Props) {
  return (
    <section>
      <h2>{desk.say('report.presses', { count: alarm.press_count })}</h2>
      <table>
        <Heads desk={desk} keys={['history.when', 'device.place', 'device.name', 'device.kind']} />
        <tbody>
          {(alarm.presses ?? []).map((press) => (
            <tr key={`${press.device} ${press.epoch} ${press.n}`}>
              <td>{dated(press.at, desk.language, alarm.guide?.time_zone)}</td>
              <td><bdi>{press.zone?.name ?? press.zone?.id ?? '–'}</bdi></td>
              <td><bdi>{press.device}</bdi></td>
              <td>{desk.say(`kind.${press.kind}`)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function WasTold({ desk, alarm }: Props) {
  return (
    <section>
      <h2>{desk.say('told.title')}</h2>
      <table>
        <Heads desk={desk} keys={['report.who', 'report.role', 'report.step', 'report.result']} />
        <tbody>
          {(alarm.deliveries ?? []).map((delivery) => (
            <tr key={delivery.endpoint} data-endpoint={delivery.endpoint}>
              <th scope="row"><bdi>{endpointName(desk, delivery.endpoint, delivery.name)}</bdi></th>
              <td>{wordIn(desk.language, 'role', delivery.role)}</td>
              <td>{delivery.step}</td>
              <td>{alarm.state === 'closed' && delivery.state === 'waiting' ? desk.say('compare.nottold') : resultOf(desk, delivery, alarm.guide)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Course({ desk, alarm, guide }: Props & { guide?: SiteGuide }) {
  const notes = new Map((alarm.notes ?? []).map((note) => [note.seq, note.text]));
  return (
    <section>
      <h2>{desk.say('story.title')}</h2>
      {alarm.events_cut && <p class="bad">{desk.say('report.cut')}</p>}
      <table>
        <Heads desk={desk} keys={['history.when', 'report.what', 'report.about']} />
        <tbody>
          {(alarm.events ?? []).map((event) => (
            <tr key={event.seq} data-seq={event.seq}>
              <td>{dated(event.at, desk.language, guide?.time_zone)}</td>
              <th scope="row">{wordIn(desk.language, 'event', event.type)}</th>
              <td><bdi>{aboutEvent(desk, event, guide)}</bdi>{notes.has(event.seq) && <q><bdi>{notes.get(event.seq)}</bdi></q>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Heads({ desk, keys }: { desk: Desk; keys: Parameters<Desk['say']>[0][] }) {
  return <thead><tr>{keys.map((key) => <th key={key} scope="col">{desk.say(key)}</th>)}</tr></thead>;
}

/** Each line with its hash, checked here against the checkpoint. */
function RecordTable({ desk, alarm }: Props) {
  const [checked, setChecked] = useState<CheckedBundle | null>(null);
  const [failure, setFailure] = useState('');
  const last = alarm.events?.at(-1)?.seq;
  useEffect(() => {
    let wanted = true;
    desk.api.bundle(alarm.id).then((bundle) => checkBundle(bundle, recall('journal-key') ?? '')).then(
      (found) => {
        if (!wanted) return;
        setChecked(found);
        setFailure('');
      },
      (error: unknown) => wanted && setFailure(desk.unread(error)),
    );
    return () => { wanted = false; };
  }, [alarm.id, last]);
  const sealed = new Set(checked?.lines.filter((line) => line.sealed).map((line) => line.seq));
  const wanted = new Set([...(checked?.lines ?? []), ...(alarm.events ?? [])].map((line) => line.seq)); // none may be left out
  const broken = checked ? [...wanted].filter((seq) => !sealed.has(seq)).length : undefined;
  return (
    <section class="proofs" data-broken={broken}>
      <h2>{desk.say('report.record')}</h2>
      <p class="bad">{failure}</p>
      {checked && (
        <>
          <p class={broken ? 'bad' : 'good'}>
            {broken ? desk.say('report.broken', { count: broken, size: checked.size })
              : desk.say('report.sealed', { count: checked.lines.length, size: checked.size })}
          </p>
          <p class={checked.signed === 'no' ? 'bad' : ''} data-signed={checked.signed}>{desk.say(`record.signed.${checked.signed}`)}</p>
          <p>{desk.say('report.root')} <code>{checked.root}</code></p>
          <ol>
            {checked.lines.map((line) => (
              <li key={line.seq}>
                <b>{line.seq}</b> {desk.say(line.sealed ? 'report.verified' : 'report.notverified')} <code>{line.leaf}</code>
                <pre><bdi>{line.text}</bdi></pre>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}
