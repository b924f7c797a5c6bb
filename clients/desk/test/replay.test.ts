import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexAt, passed, playOrPause, replayOf } from '../src/replay';

const event = (seq: number, s: number) => ({ seq, at: new Date(1e12 + s * 1000).toISOString(), type: 'x' });
const EVENTS = [event(1, 0), event(2, 10), event(3, 10), event(4, 60)];

test('at each moment the last event that had happened', () => {
  const replay = replayOf(EVENTS);
  const at = (s: number) => indexAt({ ...replay, atMs: 1e12 + s * 1000 });
  assert.deepEqual([-1, 0, 9.9, 10, 59, 60, 99].map(at), [-1, 0, 0, 2, 2, 3, 3]);
});

test('time passes by the speed, ends at the end, and begins again', () => {
  let replay = { ...playOrPause(replayOf(EVENTS)), speed: 10 };
  replay = passed(replay, 1000);
  assert.equal(replay.atMs, 1e12 + 10_000);
  replay = passed(replay, 60_000);
  assert.equal(replay.playing, false);
  assert.equal(indexAt(replay), 3);
  assert.equal(passed(replay, 1000).atMs, replay.atMs);
  assert.equal(playOrPause(replay).atMs, 1e12);
});
