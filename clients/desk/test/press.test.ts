import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Api } from '../src/api';
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
