import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, type Api } from '../src/api';
import { Pressing } from '../src/press';

type Body = { epoch: string; n: number };

/** A browser's memory; `full`: it takes nothing more. */
class Memory {
  full = false;
  readonly kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  removeItem = (key: string) => void this.kept.delete(key);
  setItem(key: string, value: string): void {
    if (this.full) throw new Error('QuotaExceededError');
    this.kept.set(key, value);
  }
}

function signedIn(memory: unknown) {
  Object.assign(globalThis, { localStorage: memory });
  const bodies: Body[] = [];
  const api = { nowMs: () => Date.now(), press: async (body: Body) => (bodies.push(body), { stage: 'recorded', alarm: 'a' }) };
  const pressing = new Pressing(api as unknown as Api, () => {});
  pressing.resume('li');
  return { pressing, bodies };
}

test('one browser counts on, also over a reload', () => {
  const memory = new Memory();
  const first = signedIn(memory);
  first.pressing.begin(false);
  const again = signedIn(memory);
  again.pressing.begin(false);
  assert.equal(again.bodies[0]?.epoch, first.bodies[0]?.epoch); // the kept press goes on first …
  assert.deepEqual(again.bodies.map((body) => body.n), [1, 2]); // … then the new one
});

test('a browser that keeps nothing presses all the same, and never twice under one name', () => {
  const memory = new Memory();
  signedIn(memory).pressing.begin(false);
  memory.full = true;
  const names = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const { pressing, bodies } = signedIn(memory);
    bodies.length = 0;
    pressing.begin(false);
    assert.equal(bodies.length, 1);
    names.add(`${bodies[0]?.epoch} ${bodies[0]?.n}`);
  }
  assert.equal(names.size, 3);
});

test('a browser without any memory presses, too', () => {
  const { pressing, bodies } = signedIn({ getItem: () => { throw new Error('SecurityError'); } });
  pressing.begin(true);
  assert.equal(bodies.length, 1);
  assert.equal(pressing.isTest, true);
});

/** The worker of beat.ts, made once; of the page's own timers, which stand nearly still in a tab that nobody looks at, there is none. */
class Drum {
  static beat = () => {};
  set onmessage(beat: () => void) {
    Drum.beat = beat;
  }
}

/** Time that passes when it is told to, and what a button does in it: a daemon that fails in a way until `failing` is ''. */
class Time {
  failing: string;
  readonly sentAtMs: number[] = [];
  readonly bodies: Body[] = [];

  constructor(failing: string, public nowMs = Date.UTC(2026, 0, 1)) {
    this.failing = failing;
  }

  button(memory: unknown): Pressing {
    Object.assign(globalThis, { localStorage: memory });
    const press = async (body: Body) => {
      this.sentAtMs.push(this.nowMs);
      this.bodies.push({ ...body });
      if (this.failing) throw new ApiError({ type: `urn:tocsin:${this.failing}`, title: '', status: 0, detail: '' });
      return { stage: 'recorded', alarm: 'a' };
    };
    const pressing = new Pressing({ nowMs: () => this.nowMs, press } as unknown as Api, () => {});
    pressing.resume('li');
    return pressing;
  }

  async pass(seconds: number): Promise<void> {
    const untilMs = this.nowMs + seconds * 1000;
    for (;;) {
      for (let i = 0; i < 10; i++) await Promise.resolve(); // an answer is a promise
      if (this.nowMs >= untilMs) break;
      this.nowMs += 200;
      Drum.beat();
    }
  }

  get waitedS(): number[] {
    return this.sentAtMs.slice(1).map((at, i) => (at - (this.sentAtMs[i] ?? 0)) / 1000);
  }
}

async function timed(work: (time: Time) => Promise<void>, failing: string): Promise<void> {
  const real = { date: Date.now, performance: performance.now };
  const time = new Time(failing);
  Date.now = performance.now = () => time.nowMs;
  Object.assign(globalThis, { Worker: Drum });
  try {
    await work(time);
  } finally {
    Date.now = real.date;
    performance.now = real.performance;
  }
}

test('an unanswered press is repeated, always the same, and a fault after 100 s; answered, it is none', () => timed(async (time) => {
  const pressing = time.button(new Memory());
  pressing.begin(false);
  await time.pass(100);
  assert.equal(pressing.state, 'sending');
  assert.deepEqual(time.waitedS, [1, 2, 4, 8, ...Array(8).fill(10)]);
  await time.pass(10);
  assert.deepEqual([pressing.state, pressing.fault], ['fault', 'late']);
  time.failing = '';
  await time.pass(10);
  assert.deepEqual([pressing.state, pressing.fault], ['received', null]);
  assert.equal(new Set(time.bodies.map((body) => JSON.stringify(body))).size, 1);
  const sent = time.bodies.length;
  await time.pass(1000);
  assert.equal(time.bodies.length, sent, 'what is answered is not sent again');
}, 'unreachable'));

for (const failing of ['too-soon', 'unavailable', 'unauthorized', 'foreign', 'unknown'])
  test(`a press is kept over "${failing}"`, () => timed(async (time) => {
    const pressing = time.button(new Memory());
    pressing.begin(false);
    await time.pass(60);
    assert.equal(pressing.state, 'sending');
    time.failing = '';
    await time.pass(10);
    assert.equal(pressing.state, 'received');
  }, failing));

test('what went out unrecorded is a fault at once, and repeated until it is recorded', () => timed(async (time) => {
  const pressing = time.button(new Memory());
  pressing.begin(false);
  await time.pass(0);
  assert.deepEqual([pressing.state, pressing.fault], ['fault', 'unrecorded']);
  time.failing = '';
  await time.pass(1);
  assert.deepEqual([pressing.state, pressing.fault], ['received', null]);
}, 'unrecorded'));

test('what was refused is not repeated and not kept', () => timed(async (time) => {
  const memory = new Memory();
  const pressing = time.button(memory);
  pressing.begin(false);
  await time.pass(1000);
  assert.deepEqual([pressing.state, pressing.fault, time.bodies.length], ['fault', 'refused', 1]);
  assert.equal(memory.getItem('press.li'), null);
}, 'refused'));

test('found after a reload it goes on for ten minutes, and is not sent later', () => timed(async (time) => {
  for (const [seconds, sent, fault] of [[600, 1, null], [601, 0, 'stale']] as const) {
    const memory = new Memory();
    time.failing = 'unreachable';
    const first = time.button(memory);
    first.begin(false);
    await time.pass(0);
    first.stop();
    await time.pass(seconds);
    time.failing = '';
    time.bodies.length = 0;
    const again = time.button(memory);
    await time.pass(0);
    assert.deepEqual([time.bodies.length, again.fault], [sent, fault]);
    if (fault) assert.deepEqual([again.state, memory.getItem('press.li')], ['fault', null]);
  }
}, 'unreachable'));

test('a call for help that was not answered when the session ended is said to be held up, and goes on with the next', () => timed(async (time) => {
  for (const memory of [new Memory(), {}]) { // the second keeps nothing
    time.failing = 'unauthorized';
    time.bodies.length = 0;
    const pressing = time.button(memory);
    pressing.begin(false);
    await time.pass(0);
    assert.equal(pressing.isHeldUp, false);
    pressing.stop();
    await time.pass(60);
    assert.deepEqual([pressing.isHeldUp, time.bodies.length], [true, 1]);
    time.failing = '';
    pressing.resume('li');
    await time.pass(0);
    assert.deepEqual([pressing.isHeldUp, pressing.state], [false, 'received']);
    assert.equal(new Set(time.bodies.map((body) => JSON.stringify(body))).size, 1);
    pressing.stop();
    assert.equal(pressing.isHeldUp, false);
  }
}, 'unauthorized'));

test('of what others pressed nothing goes out, of a test nothing is said', () => timed(async (time) => {
  const memory = new Memory();
  const pressing = time.button(memory);
  pressing.begin(true);
  await time.pass(0);
  pressing.stop();
  assert.equal(pressing.isHeldUp, false);
  time.bodies.length = 0;
  pressing.resume('wang');
  await time.pass(60);
  assert.deepEqual([time.bodies.length, pressing.state], [0, 'idle']);
}, 'unreachable'));

test('a test does not take the place of a call for help that was not answered', () => timed(async (time) => {
  const pressing = time.button(new Memory());
  pressing.begin(false);
  await time.pass(5);
  pressing.begin(true);
  assert.equal(pressing.isTest, false);
  time.failing = '';
  await time.pass(20);
  assert.deepEqual([...new Set(time.bodies.map((body) => JSON.stringify(body)))].length, 1);
  pressing.begin(true); // once it was answered
  assert.equal(pressing.isTest, true);
}, 'unreachable'));

test('a closed alarm leaves the board, and nobody is said to be called any more, also after a reload', () => timed(async (time) => {
  const memory = new Memory();
  const pressing = time.button(memory);
  pressing.begin(false);
  await time.pass(0);
  const seen = ['open', undefined, 'coming', undefined, 'open', 'closed', undefined].map((state) => {
    pressing.follow((alarm) => (alarm === 'a' ? state : undefined));
    return pressing.state;
  });
  assert.deepEqual(seen, ['received', 'received', 'coming', 'coming', 'received', 'idle', 'idle']);
  assert.equal(pressing.alarm, undefined);
  time.bodies.length = 0;
  assert.deepEqual([time.button(memory).state, time.bodies.length], ['idle', 0]);
  pressing.begin(false);
  await time.pass(0);
  assert.equal(pressing.state, 'received');
}, ''));
