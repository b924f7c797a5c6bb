// The day's list, and everything before: closed alarms by site, time, kind, disposition and words; and what is open.

import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api';
import type { Desk } from '../desk';
import { moment, span } from '../time';
import type { Disposition, Kind, PastAlarm } from '../types';
import { Icon } from './icon';

const KINDS: Kind[] = ['attack', 'fire', 'panic', 'generic', 'medical', 'intrusion'];
const DISPOSITIONS: Disposition[] = ['real', 'false', 'accidental', 'duplicate', 'drill', 'test'];
const DAY_MS = 24 * 3600 * 1000;

type Question = Record<'site' | 'kind' | 'disposition' | 'text' | 'from', string>;

export function HistoryView({ desk }: { desk: Desk }) {
  const [question, setQuestion] = useState<Question>({ site: '', kind: '', disposition: '', text: '', from: dayBegins() });
  const [found, setFound] = useState<PastAlarm[]>([]);
  const [next, setNext] = useState<number | null>(null);
  const [failure, setFailure] = useState('');
  const open = desk.openAlarms();
  const read = (before?: number) =>
    desk.api.history(question, before).then(
      (page) => {
        setFound((known) => (before ? [...known, ...page.alarms] : page.alarms));
        setNext(page.next);
        setFailure(page.complete ? '' : desk.say('history.building'));
      },
      (error: unknown) => setFailure(error instanceof ApiError ? error.problem.detail : String(error)),
    );
  useEffect(() => {
    const wait = setTimeout(() => void read(), question.text ? 250 : 0);
    return () => clearTimeout(wait);
  }, [JSON.stringify(question), open.length]);
  return (
    <div class="calm">
      <section class="quiet">
        <h1>{desk.say('nav.history')}</h1>
        <Search desk={desk} question={question} onChange={setQuestion} />
        <p role="status">{failure || desk.say('history.found', { count: found.length })}</p>
        <Found desk={desk} found={found} />
        {next !== null && <button onClick={() => void read(next)}>{desk.say('history.more')}</button>}
      </section>
    </div>
  );
}

function dayBegins(): string {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), now.getDate()).toISOString();
}

function Search({ desk, question, onChange }: { desk: Desk; question: Question; onChange: (q: Question) => void }) {
  const set = (name: keyof Question) => (event: { currentTarget: HTMLInputElement | HTMLSelectElement }) =>
    onChange({ ...question, [name]: event.currentTarget.value });
  const ago = (days: number) => new Date(Date.parse(dayBegins()) - days * DAY_MS).toISOString();
  return (
    <form class="search" onSubmit={(event) => event.preventDefault()}>
      <label>{desk.say('history.since')}
        <select value={question.from} onChange={set('from')}>
          <option value={dayBegins()}>{desk.say('history.today')}</option>
          <option value={ago(7)}>{desk.say('history.week')}</option>
          <option value={ago(365)}>{desk.say('history.year')}</option>
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
      <label>{desk.say('history.text')}<input value={question.text} maxLength={60} onInput={set('text')} /></label>
    </form>
  );
}

function Found({ desk, found }: { desk: Desk; found: PastAlarm[] }) {
  const after = (alarm: PastAlarm, at?: string | null) => (at ? span(Date.parse(at) - Date.parse(alarm.opened_at)) : '–');
  return (
    <table>
      <thead>
        <tr>
          {(['history.when', 'device.kind', 'history.site', 'history.was', 'history.took', 'history.arrived', 'history.by'] as const)
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
            <td>{desk.say(`disposition.${alarm.disposition}`)}</td>
            <td>{after(alarm, alarm.acknowledged_at)}</td>
            <td>{after(alarm, alarm.on_scene_at)}</td>
            <td><bdi>{alarm.closed_by ?? '–'}</bdi></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
