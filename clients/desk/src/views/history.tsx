// The day's list, and everything before: closed alarms, the newest first.

import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api';
import type { Desk } from '../desk';
import { moment } from '../time';
import type { Alarm, Disposition, Kind } from '../types';
import { Icon } from './icon';

const KINDS: Kind[] = ['attack', 'fire', 'panic', 'generic', 'medical', 'intrusion'];
const DISPOSITIONS: Disposition[] = ['real', 'false', 'accidental', 'duplicate', 'drill', 'test'];
const DAY_MS = 24 * 3600 * 1000;

type Question = Record<'site' | 'kind' | 'disposition' | 'from', string>;

export function HistoryView({ desk }: { desk: Desk }) {
  const [question, setQuestion] = useState<Question>({ site: '', kind: '', disposition: '', from: dayBegins(0) });
  const [alarms, setAlarms] = useState<Alarm[]>([]);
  const [next, setNext] = useState<number | null>(null);
  const [failure, setFailure] = useState('');
  const open = desk.openAlarms().length;
  const read = (before?: number) =>
    desk.api.closedAlarms(question.site, before).then(
      (page) => {
        setAlarms((known) => (before ? [...known, ...page.alarms] : page.alarms));
        setNext(page.next);
        setFailure('');
      },
      (error: unknown) => setFailure(error instanceof ApiError ? error.problem.detail : String(error)),
    );
  useEffect(() => void read(), [question.site, open]);
  const found = alarms.filter((alarm) => fits(alarm, question));
  const all = next === null || (alarms.at(-1)?.opened_at ?? '') < question.from;
  return (
    <div class="calm">
      <section class="quiet">
        <h1>{desk.say('nav.history')}</h1>
        <Search desk={desk} question={question} onChange={setQuestion} />
        <p role="status">{failure || desk.say(all ? 'history.found' : 'history.foundsofar', { count: found.length })}</p>
        <Found desk={desk} found={found} />
        {!all && <button onClick={() => void read(next ?? undefined)}>{desk.say('history.more')}</button>}
      </section>
    </div>
  );
}

function dayBegins(daysAgo: number): string {
  const now = new Date();
  return new Date(new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime() - daysAgo * DAY_MS).toISOString();
}

function fits(alarm: Alarm, { kind, disposition, from }: Question): boolean {
  return alarm.opened_at >= from && (!kind || alarm.kind === kind) && (!disposition || alarm.disposition === disposition);
}

function Search({ desk, question, onChange }: { desk: Desk; question: Question; onChange: (q: Question) => void }) {
  const set = (name: keyof Question) => (event: { currentTarget: HTMLSelectElement }) =>
    onChange({ ...question, [name]: event.currentTarget.value });
  return (
    <form class="search" onSubmit={(event) => event.preventDefault()}>
      <label>{desk.say('history.since')}
        <select value={question.from} onChange={set('from')}>
          <option value={dayBegins(0)}>{desk.say('history.today')}</option>
          <option value={dayBegins(7)}>{desk.say('history.week')}</option>
          <option value={dayBegins(365)}>{desk.say('history.year')}</option>
          <option value="">{desk.say('history.ever')}</option>
        </select></label>
      <label>{desk.say('history.site')}
        <select value={question.site} onChange={set('site')}>
          <option value="">{desk.say('history.all')}</option>
          {[...desk.sites.values()].map((site) => <option key={site.id} value={site.id}>{site.name ?? site.id}</option>)}
        </select></label>
      <label>{desk.say('device.kind')}
        <select value={question.kind} onChange={set('kind')}>
          <option value="">{desk.say('history.all')}</option>
          {KINDS.map((kind) => <option key={kind} value={kind}>{desk.say(`kind.${kind}`)}</option>)}
        </select></label>
      <label>{desk.say('history.was')}
        <select value={question.disposition} onChange={set('disposition')}>
          <option value="">{desk.say('history.all')}</option>
          {DISPOSITIONS.map((d) => <option key={d} value={d}>{desk.say(`disposition.${d}`)}</option>)}
        </select></label>
    </form>
  );
}

function Found({ desk, found }: { desk: Desk; found: Alarm[] }) {
  return (
    <table>
      <thead>
        <tr>
          {(['history.when', 'device.kind', 'history.site', 'history.was', 'history.taken', 'history.by'] as const)
            .map((key) => <th key={key} scope="col">{desk.say(key)}</th>)}
        </tr>
      </thead>
      <tbody>
        {found.map((alarm) => (
          <tr key={alarm.id} data-alarm={alarm.id}>
            <td>{moment(alarm.opened_at, desk.language, desk.zone(alarm.site.id))}</td>
            <th scope="row">
              {alarm.mode !== 'real' && <span class="mode">{desk.say(`mode.${alarm.mode}`)} </span>}
              <Icon kind={alarm.kind} /> {desk.say(`kind.${alarm.kind}`)}
              {desk.account?.may_read_journal && <> <a href={`#/replay/${alarm.id}`}>{desk.say('history.replay')}</a></>}
            </th>
            <td><bdi>{alarm.site.name ?? alarm.site.id}</bdi></td>
            <td>{alarm.disposition && desk.say(`disposition.${alarm.disposition}`)}</td>
            <td><bdi>{alarm.acknowledged_by ?? '–'}</bdi></td>
            <td><bdi>{alarm.closed_by ?? '–'}</bdi></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
