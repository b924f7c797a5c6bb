// Nothing is open: says so, and what else may be of use.

import type { Desk } from '../desk';
import { clock, moment } from '../time';
import { wordIn } from '../texts';
import type { JournalEvent, Mode, Trouble } from '../types';
import { endpointName } from './told';

export function Calm({ desk }: { desk: Desk }) {
  return (
    <div class="calm">
      <section class="quiet">
        <h1>{desk.say(desk.isRead ? 'calm.title' : 'calm.reading')}</h1>
        <p>{desk.say('calm.text')}</p>
        {desk.account?.may_answer && <p><b>{desk.say('help.title')}</b> {desk.say('help.text')}</p>}
      </section>
      <Troubles desk={desk} />
      <Log desk={desk} />
    </div>
  );
}

/** Without these parts no alarm comes, or none is recorded: said on every screen. */
const VITAL = ['broker', 'subscription', 'journal'];

export function VitalTroubles({ desk }: { desk: Desk }) {
  const vital = desk.board.troubles.filter((trouble) => VITAL.includes(wordOf(trouble)));
  return (
    <div role="alert">
      {vital.map((trouble) => (
        <p key={`${trouble.code} ${trouble.part}`} class="banner disturbed">
          ⚠ {wordIn(desk.language, 'trouble', wordOf(trouble))}. {wordIn(desk.language, 'means', wordOf(trouble))}
        </p>
      ))}
    </div>
  );
}

export function TroublesView({ desk }: { desk: Desk }) {
  return <div class="calm"><Troubles desk={desk} /><Log desk={desk} /></div>;
}

export function Troubles({ desk, troubles = desk.board.troubles }: { desk: Desk; troubles?: Trouble[] }) {
  return (
    <section>
      <h2>{desk.say('trouble.title')}</h2>
      {troubles.length === 0 && <p>{desk.say('trouble.none')}</p>}
      <ul class="troubles">
        {inOrder(troubles).map((trouble) => (
          <li key={`${trouble.code} ${trouble.part}`} data-trouble={trouble.code}>
            <b>⚠ {wordIn(desk.language, 'trouble', wordOf(trouble))}</b> <bdi>{partOf(desk, trouble)}</bdi>{' '}
            <time dateTime={trouble.at}>{moment(trouble.at, desk.language, desk.homeZone())}</time>
            <br />{wordIn(desk.language, 'means', wordOf(trouble))}
            <br /><small>{desk.say('trouble.detail')} <bdi lang="en">{trouble.text}</bdi></small>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What is about one button comes last: hundreds of them, behind a switch that died, would hide who is not reached. */
function inOrder(troubles: Trouble[]): Trouble[] {
  const rank = (trouble: Trouble) => (VITAL.includes(wordOf(trouble)) ? 0 : trouble.part.includes('/') ? 2 : 1);
  return [...troubles].sort((a, b) => rank(a) - rank(b));
}

/** Two of the broker's connections have their own words: no press depends on them. */
function wordOf({ code, part }: Trouble): string {
  return part === 'supervision' || part === 'receipts' ? part : code;
}

/** Which one, by the names that people know; of what there is one only, nothing. */
function partOf(desk: Desk, { code, part }: Trouble): string {
  if (code === 'endpoint' || code === 'endpoint_answer') return endpointName(desk, part);
  const alarm = code === 'plan_exhausted' ? desk.board.alarms.get(part) : undefined;
  if (alarm) return `${desk.what(alarm)} · ${alarm.site.name ?? alarm.site.id}`;
  const [site = '', device] = part.split('/');
  if (device) return `${desk.sites.get(site)?.name ?? site} · ${device}`;
  return code === 'plan_exhausted' ? part : '';
}

/** What came over the feed, the newest first. */
export function Log({ desk }: { desk: Desk }) {
  const modes = new Map<string | undefined, Mode | undefined>([...desk.board.alarms.values()].map((alarm) => [alarm.id, alarm.mode]));
  for (const event of desk.board.log) if (event.type === 'press_received') modes.set(event.alarm, event.mode);
  return (
    <section>
      <h2>{desk.say('log.title')}</h2>
      {desk.board.log.length === 0 && <p>{desk.say('log.none')}</p>}
      <ol class="log" reversed tabIndex={0}>
        {[...desk.board.log].reverse().map((event) => (
          <li key={event.seq} data-seq={event.seq}>
            <time dateTime={event.at}>{clock(event.at, desk.language, desk.homeZone())}</time>{' '}
            <b>{desk.marked(event.mode ?? modes.get(event.alarm), wordIn(desk.language, 'event', event.type))}</b>{' '}
            <bdi>{about(desk, event)}</bdi>
          </li>
        ))}
      </ol>
    </section>
  );
}

function about(desk: Desk, event: JournalEvent): string {
  const refusal = event.refusal && wordIn(desk.language, 'refusal', event.refusal);
  const outcome = event.outcome && wordIn(desk.language, 'outcome', event.outcome);
  return [event.site, event.device ?? event.endpoint ?? event.part, event.by, refusal, outcome].filter(Boolean).join(' · ');
}
