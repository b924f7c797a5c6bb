import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api } from '../src/api';

/** A daemon with so many open alarms that they do not fit into one answer. */
function city(count: number): Api {
  const api = new Api();
  api.ask = async (_, path) => {
    const asked = new URLSearchParams(path.split('?')[1]);
    const newest = Math.min(Number(asked.get('before') ?? count + 1) - 1, count), last = Math.max(newest - Number(asked.get('limit')), 0);
    const alarms = Array.from({ length: newest - last }, (_, i) => ({ id: String(newest - i) }));
    return new Response(JSON.stringify({ alarms, next: last > 0 ? last + 1 : null }));
  };
  return api;
}

test('of more open alarms than one answer holds none is left out', async () => {
  for (const count of [0, 1, 1000, 1001, 2500]) {
    const ids = (await city(count).openAlarms()).map((alarm) => alarm.id);
    assert.deepEqual(ids, Array.from({ length: count }, (_, i) => String(count - i)));
  }
});

test('the same place again is not asked for, round and round', async () => {
  const api = new Api();
  let asked = 0;
  api.ask = async () => (asked++, new Response(JSON.stringify({ alarms: [{ id: 'a' }], next: 1 })));
  await api.openAlarms();
  assert.equal(asked, 2);
});
