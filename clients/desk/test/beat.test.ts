import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onBeat, pause } from '../src/beat';

/** A worker that beats when it is told to. */
class Drum {
  static made: Drum[] = [];
  onmessage = () => {};
  onerror = () => {};
  constructor() {
    Drum.made.push(this);
  }
}

test('while the page\'s own timers stand still a worker\'s go on, and without a worker they are the page\'s', async () => {
  const real = globalThis.setInterval;
  let timers = 0;
  let tick = () => {};
  Object.assign(globalThis, { Worker: Drum, setInterval: (run: () => void) => (timers++, (tick = run), 1) });
  let beats = 0;
  const stop = onBeat(() => beats++);
  const again = onBeat(() => {});
  const paused = pause(0);
  Drum.made[0]?.onmessage();
  await paused;
  assert.deepEqual([beats, Drum.made.length, timers], [1, 1, 0]);
  Drum.made[0]?.onerror(); // it could not be had
  tick();
  assert.deepEqual([beats, timers], [2, 1]);
  stop();
  tick();
  assert.equal(beats, 2);
  again();
  Object.assign(globalThis, { setInterval: real });
});
