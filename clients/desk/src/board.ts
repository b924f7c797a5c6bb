// The board: what is known of every alarm, as a value. Pure: events in, a new board out.
//
// The daemon decides what an event means (core/alarm.c); the page does not do it a second time. An event that opens an
// alarm shows it at once, from its own line; any other marks the alarm as stale, and the daemon is asked for its present.

import type { Alarm, JournalEvent, Kind, Mode, Press, Role, Site, State, Trouble } from './types';

const LOG_LINES = 300;

export interface Board {
  alarms: ReadonlyMap<string, Alarm>;
  /** Alarms about which something was heard since the daemon was asked last. */
  stale: ReadonlySet<string>;
  /** The newest event heard of each alarm: an older answer does not undo it. */
  heard: ReadonlyMap<string, number>;
  troubles: Trouble[];
  /** What came over the feed, the newest last. */
  log: JournalEvent[];
}

export const EMPTY: Board = { alarms: new Map(), stale: new Set(), heard: new Map(), troubles: [], log: [] };

/** From the least to the gravest: daemon/core/event.h. */
const GRAVITY: Kind[] = ['cancel', 'intrusion', 'medical', 'generic', 'panic', 'fire', 'attack'];
const MODES: Mode[] = ['real', 'drill', 'test'];

export function gravity(kind: Kind): number {
  return GRAVITY.indexOf(kind);
}

export type Look = 'grave' | 'everyday' | 'drill' | 'test';

/** How an alarm looks and sounds. A drill or a test never looks like the real thing. */
export function look(alarm: { kind: Kind; mode: Mode }): Look {
  if (alarm.mode !== 'real') return alarm.mode;
  return gravity(alarm.kind) >= gravity('panic') ? 'grave' : 'everyday';
}

/** How far it is for one role: what has taken it and only waits for another role is not to be taken once more. */
export function stateFor(alarm: Alarm, role?: Role): State {
  if (alarm.state !== 'open' || !alarm.acks?.some((ack) => ack.role === role && ack.by !== null)) return alarm.state;
  return alarm.on_scene_by ? 'on_scene' : alarm.coming_by ? 'coming' : 'acknowledged';
}

/** What a role itself has done, whatever the others have. */
export function reachedBy(alarm: Alarm, role?: Role): State {
  return alarm.reached?.find((one) => one.role === role)?.state ?? 'open';
}

/** The state whose next deed is asked of a role: a role that the plan needs has its own to do, though another is further. */
export function standsFor(alarm: Alarm, role?: Role): State {
  const isNeeded = alarm.acks?.some((ack) => ack.role === role);
  return isNeeded && alarm.state !== 'closed' ? reachedBy(alarm, role) : stateFor(alarm, role);
}

/** Some of the roles that the plan needs have taken it, and it waits for the others. */
export function isHalfTaken(alarm: Alarm): boolean {
  return alarm.state === 'open' && !!alarm.acks?.some((ack) => ack.by !== null);
}

/** Somebody pressed after the last thing that the role did about it. */
export function pressedSince(alarm: Alarm, role: Role): boolean {
  const events = alarm.events ?? [];
  const last = events.map((event) => event.role).lastIndexOf(role);
  return last >= 0 && events.slice(last + 1).some((event) => event.type === 'press_received' && event.kind !== 'cancel');
}

/** What `role` has to take comes before what is being answered; then real before drill before test, the gravest, the oldest. */
export function inOrder(alarms: Iterable<Alarm>, role?: Role): Alarm[] {
  const rank = (alarm: Alarm) => [
    MODES.indexOf(alarm.mode), stateFor(alarm, role) === 'open' ? 0 : 1, -gravity(alarm.kind), Date.parse(alarm.opened_at),
  ];
  const ranked = [...alarms].map((alarm) => ({ alarm, rank: rank(alarm) }));
  ranked.sort(({ alarm: a, rank: x }, { alarm: b, rank: y }) => {
    const i = x.findIndex((value, k) => value !== y[k]);
    return i < 0 ? (a.id < b.id ? -1 : 1) : (x[i] ?? 0) - (y[i] ?? 0);
  });
  return ranked.map(({ alarm }) => alarm);
}

export function openAlarms(board: Board, role?: Role): Alarm[] {
  return inOrder([...board.alarms.values()].filter((alarm) => alarm.state !== 'closed'), role);
}

/** The places of an alarm, each once, in the order in which they were pressed. */
export function places(alarm: Alarm): { id: string; name: string; count: number }[] {
  const found = new Map<string, { id: string; name: string; count: number }>();
  for (const press of alarm.presses ?? []) {
    const id = press.zone?.id ?? press.device;
    const place = found.get(id) ?? { id, name: press.zone?.name ?? press.zone?.id ?? press.device, count: 0 };
    place.count++;
    found.set(id, place);
  }
  return [...found.values()];
}

function pressOf(event: JournalEvent, site: Site | undefined): Press {
  const zone = event.zone ? (site?.zones.find((z) => z.id === event.zone) ?? { id: event.zone }) : undefined;
  return { device: event.device ?? '?', epoch: event.epoch, n: event.n, kind: event.kind ?? 'generic', zone, at: event.at };
}

/** The alarm as far as its first line tells. */
function opened(event: JournalEvent, site: Site | undefined): Alarm {
  const steps = event.plan?.steps ?? [];
  return {
    id: event.alarm ?? '', site: site ?? { id: event.site ?? '?' }, class: '', mode: event.mode ?? 'real',
    kind: event.kind ?? 'generic', state: 'open', version: 0, opened_at: event.at, opened_seq: event.seq,
    recorded: event.seq > 0, step: 1, steps: steps.length, press_count: 1, presses: [pressOf(event, site)],
    deliveries: steps.flatMap((step, i) => step.endpoints.map((endpoint) => ({
      endpoint: endpoint.id, role: endpoint.role, step: i + 1, state: i === 0 ? 'pending' as const : 'waiting' as const,
      version: 0, attempts: 0, since: null,
    }))),
  };
}

/** What is known already of its other presses is kept: a second press is on the screen before the daemon is asked. */
function joined(alarm: Alarm, event: JournalEvent, site: Site | undefined): Alarm {
  if (event.kind === 'cancel') return { ...alarm, cancels: (alarm.cancels ?? 0) + 1 };
  const known = alarm.presses?.some((p) => p.device === event.device && p.epoch === event.epoch && p.n === event.n);
  if (known) return alarm;
  return { ...alarm, press_count: alarm.press_count + 1, presses: [...(alarm.presses ?? []), pressOf(event, site)] };
}

function aboutAlarm(board: Board, event: JournalEvent, sites: ReadonlyMap<string, Site>): Board {
  const id = event.alarm ?? '';
  const alarm = board.alarms.get(id);
  const stale = new Set(board.stale).add(id);
  const heard = new Map(board.heard).set(id, Math.max(event.seq, board.heard.get(id) ?? 0));
  if (event.type !== 'press_received') return { ...board, stale, heard };
  const site = sites.get(event.site ?? '');
  const alarms = new Map(board.alarms).set(id, alarm ? joined(alarm, event, site) : opened(event, site));
  return { ...board, alarms, stale, heard };
}

function isAboutTrouble(event: JournalEvent): boolean {
  return event.type === 'trouble_raised' || event.type === 'trouble_cleared';
}

function aboutTrouble(board: Board, event: JournalEvent): Board {
  const others = board.troubles.filter((t) => t.code !== event.code || t.part !== event.part);
  if (event.type === 'trouble_cleared') return { ...board, troubles: others };
  const trouble = { code: event.code ?? '', part: event.part ?? '', text: event.text ?? '', at: event.at, seq: event.seq };
  return { ...board, troubles: [...others, trouble] };
}

export function apply(board: Board, event: JournalEvent, sites: ReadonlyMap<string, Site>): Board {
  const next = { ...board, log: [...board.log, event].slice(-LOG_LINES) };
  if (isAboutTrouble(event)) return aboutTrouble(next, event);
  return event.alarm ? aboutAlarm(next, event, sites) : next;
}

/** The newest event that an answer of the daemon knows of. */
function knows(alarm: Alarm): number {
  return alarm.events_cut ? Infinity : (alarm.events?.at(-1)?.seq ?? 0);
}

/** The daemon's word about one alarm. It stays stale when something newer was heard meanwhile. */
export function told(board: Board, alarm: Alarm): Board {
  const before = board.alarms.get(alarm.id);
  if (before && before.version > alarm.version) return board;
  const stale = new Set(board.stale);
  if (knows(alarm) >= (board.heard.get(alarm.id) ?? 0)) stale.delete(alarm.id);
  return { ...board, alarms: new Map(board.alarms).set(alarm.id, alarm), stale };
}

/** The daemon's list of what is open, as it is taken into the board; `asked`: the board when it was asked for. Alarms that are
 * not on it are gone, unless something was heard of them since: then they are asked for. What is known better is kept. */
export function listed(board: Board, list: Alarm[], asked: Board): Board {
  const alarms = new Map<string, Alarm>();
  for (const alarm of list) {
    const known = board.alarms.get(alarm.id);
    alarms.set(alarm.id, known && known.version > alarm.version ? known : { ...known, ...alarm });
  }
  const heardSince = (id: string) => !asked.alarms.has(id) || board.heard.get(id) !== asked.heard.get(id);
  for (const [id, alarm] of board.alarms)
    if (!alarms.has(id) && (board.stale.has(id) || heardSince(id))) alarms.set(id, alarm);
  return { ...board, alarms, stale: new Set([...board.stale, ...alarms.keys()]) }; // a list has no presses: each is asked for
}

/** The daemon's list of troubles, asked for when the board was `asked`: what was heard since is not undone. */
export function troubled(board: Board, troubles: Trouble[], asked: Board): Board {
  const last = asked.log.at(-1);
  const since = board.log.slice(last ? board.log.indexOf(last) + 1 : 0);
  return since.filter(isAboutTrouble).reduce(aboutTrouble, { ...board, troubles });
}

/** What is known of that alarm may be old: the daemon is asked for its present. */
export function stale(board: Board, id: string): Board {
  return { ...board, stale: new Set(board.stale).add(id) };
}

/** Forgets a closed alarm. */
export function without(board: Board, id: string): Board {
  const alarms = new Map(board.alarms), stale = new Set(board.stale);
  alarms.delete(id);
  stale.delete(id);
  return { ...board, alarms, stale };
}
