// The day's list, and everything before: closed alarms, searched by the daemon, the newest first.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Desk } from '../desk';
import { moment, span } from '../time';
import type { Disposition, HistoryPage, Kind, Mode, PastAlarm } from '../types';
import { Icon } from './icon';
import { Choice, type Period, periodOf, PeriodFields, SiteChoice, timesOf } from './search';

const KINDS: Kind[] = ['attack', 'fire', 'panic', 'generic', 'medical', 'intrusion'];
const DISPOSITIONS: Disposition[] = ['real', 'false', 'accidental', 'duplicate', 'drill', 'test'];
const MODES: Mode[] = ['real', 'drill', 'test'];
const TYPING_MS = 250; // between letters; the daemon is asked when a word seems to be whole
const NOTHING: HistoryPage = { alarms: [], next: null, complete: true };

type Words = Record<'site' | 'kind' | 'disposition' | 'mode' | 'text', string>;
type Question = Words & { period: Period };

export function HistoryView({ desk }: { desk: Desk }) {
  const [question, setQuestion] = useState<Question>(
    () => ({ site: '', kind: '', disposition: '', mode: '', text: '', period: periodOf(desk, 'today') }));
  const { page, failure, more } = useFound(desk, question);
  const count = page.alarms.length;
  return (
    <div class="calm">
      <section class="quiet history">
        <h1>{desk.say('nav.history')}</h1>
        <Search desk={desk} question={question} onChange={setQuestion} />
        <p role="status" class={failure && 'failure'}>
          {failure || desk.say(page.next === null ? 'history.found' : 'history.foundsofar', { count })}
          {!page.complete && <b class="bad"> {desk.say('history.incomplete')}</b>}
        </p>
        {count > 0 && <Found desk={desk} found={page.alarms} />}
        {page.next !== null && <button data-do="more" onClick={more}>{desk.say('history.more')}</button>}
      </section>
    </div>
  );
}

/** What the daemon finds, asked again when the question changes or an alarm was closed; an answer that was overtaken is dropped. */
function useFound(desk: Desk, question: Question): { page: HistoryPage; failure: string; more: () => void } {
  const [page, setPage] = useState(NOTHING);
  const [failure, setFailure] = useState('');
  const asked = useRef(0);
  const ask = (before?: number) => {
    const number = ++asked.current;
    const { period, ...words } = question;
    desk.api.history({ ...words, text: words.text.trim(), ...timesOf(desk, period) }, before).then(
      (found) => {
        if (number !== asked.current) return;
        setPage((known) => (before ? { ...found, alarms: [...known.alarms, ...found.alarms] } : found));
        setFailure('');
      },
      (error: unknown) => {
        if (number !== asked.current) return;
        setPage(NOTHING);
        setFailure(desk.unread(error));
      },
    );
  };
  const open = desk.openAlarms().length;
  const words = JSON.stringify(question);
  useEffect(() => {
    const timer = setTimeout(ask, question.text ? TYPING_MS : 0);
    return () => clearTimeout(timer);
  }, [words, open]);
  return { page, failure, more: () => ask(page.next ?? undefined) };
}

function Search({ desk, question, onChange }: { desk: Desk; question: Question; onChange: (q: Question) => void }) {
  const set = (name: keyof Words) => (value: string) => onChange({ ...question, [name]: value });
  const all = ['', desk.say('history.all')] as const;
  return (
    <form class="search" role="search" onSubmit={(event) => event.preventDefault()}>
      <label class="words">{desk.say('history.text')}
        <input type="search" name="text" maxLength={66} value={question.text} onInput={(event) => set('text')(event.currentTarget.value)} />
      </label>
      <PeriodFields desk={desk} period={question.period} onChange={(period) => onChange({ ...question, period })} />
      <SiteChoice desk={desk} value={question.site} onChange={set('site')} />
      <Choice label={desk.say('device.kind')} value={question.kind} onChange={set('kind')}
        choices={[all, ...KINDS.map((kind) => [kind, desk.say(`kind.${kind}`)] as const)]} />
      <Choice label={desk.say('history.was')} value={question.disposition} onChange={set('disposition')}
        choices={[all, ...DISPOSITIONS.map((d) => [d, desk.say(`disposition.${d}`)] as const)]} />
      <Choice label={desk.say('history.mode')} value={question.mode} onChange={set('mode')}
        choices={[all, ...MODES.map((mode) => [mode, desk.say(`mode.${mode}`)] as const)]} />
    </form>
  );
}

function Found({ desk, found }: { desk: Desk; found: PastAlarm[] }) {
  const heads = ['history.when', 'device.kind', 'history.site', 'device.place', 'history.was', 'history.taken', 'history.by'] as const;
  const [when, , site, place, was, taken, by] = heads.map((key) => desk.say(key));
  return (
    <table class="stacked">
      <thead><tr>{heads.map((key) => <th key={key} scope="col">{desk.say(key)}</th>)}</tr></thead>
      <tbody>
        {found.map((alarm) => (
          <tr key={alarm.id} data-alarm={alarm.id}>
            <td data-label={when}>
              <a href={`#/alarms/${alarm.id}`}>{moment(alarm.opened_at, desk.language, desk.zone(alarm.site.id) ?? desk.homeZone())}</a>
            </td>
            <th scope="row"><What desk={desk} alarm={alarm} /></th>
            <td data-label={site}><bdi>{alarm.site.name ?? alarm.site.id}</bdi></td>
            <td data-label={place}><bdi>{alarm.zones.map((zone) => zone.name ?? zone.id).join(', ') || '–'}</bdi></td>
            <td data-label={was}>{desk.say(`disposition.${alarm.disposition}`)}</td>
            <td data-label={taken}>
              <bdi>{alarm.acknowledged_by ?? '–'}</bdi>
              {alarm.acknowledged_s !== null && ` (${desk.say('history.after', { span: span(alarm.acknowledged_s * 1000) })})`}
            </td>
            <td data-label={by}><bdi>{alarm.closed_by ?? '–'}</bdi></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function What({ desk, alarm }: { desk: Desk; alarm: PastAlarm }) {
  return (
    <>
      {alarm.mode !== 'real' && <span class="mode">{desk.say(`mode.${alarm.mode}`)} </span>}
      <Icon kind={alarm.kind} /> {desk.say(`kind.${alarm.kind}`)}{' '}
      {desk.account?.may_read_journal && <a href={`#/replay/${alarm.id}`}>{desk.say('history.replay')}</a>}
    </>
  );
}
