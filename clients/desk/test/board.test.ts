import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apply, EMPTY, inOrder, isHalfTaken, listed, look, openAlarms, places, pressedSince, reachedBy, standsFor, stateFor, told, troubled, without } from '../src/board';
import type { Alarm, JournalEvent, Role, Site } from '../src/types';

const SITES = new Map<string, Site>([['school-1', {
  id: 'school-1', name: 'School 1', plan: 'default', device_count: 2, alarms_open: 0, zones: [{ id: '101', name: 'Room 101' }],
}]]);

const press = (seq: number, more: Partial<JournalEvent> = {}): JournalEvent => ({
  seq, at: '2026-11-24T03:00:00.000Z', type: 'press_received', alarm: 'a1', site: 'school-1', device: 'room-101', zone: '101',
  epoch: 'e', n: seq, kind: 'panic', mode: 'real',
  plan: { id: 'default', steps: [{ answer_timeout_s: 60, endpoints: [{ id: 'police', role: 'police' }] }] }, ...more,
});

const alarm = (id: string, more: Partial<Alarm> = {}): Alarm => ({
  id, site: { id: 'school-1' }, class: 'security', mode: 'real', kind: 'panic', state: 'open', version: 1,
  opened_at: '2026-11-24T03:00:00.000Z', step: 1, steps: 1, press_count: 1, ...more,
});

test('a press is on the board at once, with what its line says, and the daemon is to be asked', () => {
  const board = apply(EMPTY, press(7), SITES);
  const [shown] = openAlarms(board);
  assert.equal(shown?.site.name, 'School 1');
  assert.deepEqual(places(shown!), [{ id: '101', name: 'Room 101', count: 1 }]);
  assert.equal(shown?.deliveries?.[0]?.endpoint, 'police');
  assert.ok(board.stale.has('a1'));
});

test('the same press heard twice counts once, another one is another', () => {
  let board = apply(EMPTY, press(7), SITES);
  board = apply(board, press(7), SITES);
  assert.equal(openAlarms(board)[0]?.press_count, 1);
  board = apply(board, press(8, { n: 9 }), SITES);
  assert.equal(openAlarms(board)[0]?.press_count, 2);
});

test('an answer older than what was heard does not end the asking', () => {
  let board = apply(EMPTY, press(7), SITES);
  board = apply(board, { seq: 9, at: '', type: 'acknowledged', alarm: 'a1', by: 'desk-1' }, SITES);
  board = told(board, alarm('a1', { version: 1, events: [press(7)] }));
  assert.ok(board.stale.has('a1'));
  board = told(board, alarm('a1', { version: 2, state: 'acknowledged', events: [press(7), { ...press(9), type: 'acknowledged' }] }));
  assert.ok(!board.stale.has('a1'));
  assert.equal(openAlarms(board)[0]?.state, 'acknowledged');
});

test('an answer that was overtaken does not undo a newer one', () => {
  const board = told(told(EMPTY, alarm('a1', { version: 3, state: 'coming' })), alarm('a1', { version: 2 }));
  assert.equal(board.alarms.get('a1')?.state, 'coming');
});

test('a list replaces what it does not name, but not what was heard of meanwhile', () => {
  let board = told(EMPTY, alarm('gone'));
  board = apply(board, press(7), SITES);
  board = listed(board, [alarm('there')], board);
  assert.deepEqual([...board.alarms.keys()].sort(), ['a1', 'there']);
  assert.ok(board.stale.has('there'));
  assert.equal(without(board, 'a1').stale.has('a1'), false);
});

test('what nobody has taken comes first, then the gravest, then the oldest; drills and tests last', () => {
  const order = inOrder([
    alarm('test', { mode: 'test', kind: 'attack' }), alarm('taken', { kind: 'attack', state: 'acknowledged' }),
    alarm('young', { opened_at: '2026-11-24T03:00:01.000Z' }), alarm('old'), alarm('fire', { kind: 'fire' }),
    alarm('drill', { mode: 'drill' }), alarm('door', { kind: 'intrusion' }),
  ]);
  assert.deepEqual(order.map((a) => a.id), ['fire', 'old', 'young', 'door', 'taken', 'drill', 'test']);
});

const acks = (police: string | null, bureau: string | null): Partial<Alarm> =>
  ({ acks: [{ role: 'police', by: police }, { role: 'bureau', by: bureau }] });

test('what a role has taken is not to be taken by it again, while it waits for another', () => {
  const half = alarm('half', acks('duty-1', null));
  assert.deepEqual([stateFor(half, 'police'), stateFor(half, 'bureau'), stateFor(half, 'guard')], ['acknowledged', 'open', 'open']);
  assert.equal(stateFor({ ...half, coming_by: 'duty-1' }, 'police'), 'coming');
  assert.equal(stateFor({ ...half, coming_by: 'duty-1', on_scene_by: 'duty-2' }, 'police'), 'on_scene');
  assert.equal(stateFor({ ...half, coming_by: 'duty-1' }, 'bureau'), 'open');
  assert.equal(stateFor(alarm('a1', acks(null, null)), 'police'), 'open');
  assert.equal(stateFor(alarm('a1', { ...acks('duty-1', 'bureau-1'), state: 'closed' }), 'police'), 'closed');
  assert.deepEqual([half, alarm('a1', acks(null, null)), alarm('a1', { ...acks('duty-1', 'bureau-1'), state: 'acknowledged' }), alarm('a1')]
    .map(isHalfTaken), [true, false, false, false]);
});

test('what another role has done is not done by a role that is needed, and every role has its own deeds', () => {
  const guarded = alarm('guarded', { state: 'coming', coming_by: 'guard-1', acks: [{ role: 'police', by: 'duty-1' }],
    reached: [{ role: 'police', state: 'acknowledged' }, { role: 'guard', state: 'coming' }] });
  assert.deepEqual(['police', 'guard', 'bureau'].map((role) => reachedBy(guarded, role as Role)), ['acknowledged', 'coming', 'open']);
  assert.deepEqual(['police', 'guard', 'bureau'].map((role) => standsFor(guarded, role as Role)), ['acknowledged', 'coming', 'coming']);
  assert.equal(standsFor({ ...guarded, state: 'closed' }, 'police'), 'closed');
  assert.equal(standsFor(alarm('a1', acks(null, 'bureau-1')), 'police'), 'open');
});

test('it stands among the taken for that role only', () => {
  const alarms = [alarm('half', { ...acks('duty-1', null), kind: 'attack' }), alarm('whole', acks(null, null))];
  assert.deepEqual(inOrder(alarms, 'police').map((a) => a.id), ['whole', 'half']);
  assert.deepEqual(inOrder(alarms, 'bureau').map((a) => a.id), ['half', 'whole']);
});

test('a press after what a role did is another matter than one before', () => {
  const deed = (seq: number, role: string): JournalEvent => ({ seq, at: '', type: 'acknowledged', alarm: 'a1', by: 'x', role });
  const since = (...events: JournalEvent[]) => pressedSince(alarm('a1', { events }), 'police');
  assert.equal(since(press(1)), false);
  assert.equal(since(press(1), press(2), deed(3, 'police')), false);
  assert.equal(since(press(1), deed(2, 'police'), press(3), deed(4, 'bureau')), true);
  assert.equal(since(press(1), deed(2, 'police'), press(3, { kind: 'cancel' })), false);
  assert.equal(since(press(1), deed(2, 'police'), press(3), deed(4, 'police')), false);
});

test('a drill never looks like the real thing', () => {
  assert.equal(look({ kind: 'attack', mode: 'drill' }), 'drill');
  assert.equal(look({ kind: 'attack', mode: 'test' }), 'test');
  assert.equal(look({ kind: 'attack', mode: 'real' }), 'grave');
  assert.equal(look({ kind: 'intrusion', mode: 'real' }), 'everyday');
});

test('troubles come and go', () => {
  const raised = { seq: 3, at: '', type: 'trouble_raised', code: 'broker', part: 'broker', text: 'gone' };
  let board = apply(apply(EMPTY, raised, SITES), raised, SITES);
  assert.equal(board.troubles.length, 1);
  board = apply(board, { ...raised, seq: 5, type: 'trouble_cleared' }, SITES);
  assert.equal(board.troubles.length, 0);
});

test('what came, and was told, while a list was on its way stays; what the list knows less of is not undone', () => {
  const asked = told(told(EMPTY, alarm('gone')), alarm('a2'));
  let board = told(apply(asked, press(7), SITES), alarm('a1', { events: [press(7)] }));
  board = told(board, alarm('a2', { version: 2, state: 'acknowledged' }));
  assert.ok(!board.stale.has('a1'));
  board = listed(board, [alarm('a2')], asked);
  assert.deepEqual([...board.alarms.keys()].sort(), ['a1', 'a2']);
  assert.ok(board.stale.has('a1'), 'it may have been closed: it is asked for');
  assert.equal(board.alarms.get('a2')?.state, 'acknowledged');
});

test('an alarm that a list tells again keeps its places', () => {
  const board = apply(EMPTY, press(7), SITES);
  assert.equal(places(listed(board, [alarm('a1')], board).alarms.get('a1')!).length, 1);
});

test('troubles that came or went while they were read are not undone by what was read', () => {
  const trouble = (seq: number, type: string, part: string): JournalEvent => ({ seq, at: '', type, code: 'battery', part, text: '' });
  const asked = apply(apply(EMPTY, trouble(1, 'trouble_raised', 'a'), SITES), press(2), SITES);
  let board = apply(asked, trouble(3, 'trouble_raised', 'b'), SITES);
  board = apply(board, trouble(4, 'trouble_cleared', 'a'), SITES);
  const read = [{ code: 'battery', part: 'a', text: '', at: '' }, { code: 'battery', part: 'c', text: '', at: '' }];
  assert.deepEqual(troubled(board, read, asked).troubles.map((each) => each.part).sort(), ['b', 'c']);
  assert.deepEqual(troubled(asked, read, asked).troubles.map((each) => each.part), ['a', 'c']);
});
