import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, type Period } from '../src/api';

const BEGAN_MS = Date.UTC(2026, 0, 1);
const at = (seq: number) => new Date(BEGAN_MS + seq * 1000).toISOString();

/** A journal with a line each second; an answer has `most` lines at most, as when the daemon cuts a long one. */
function journal(size: number, most: number): Api {
  const api = new Api();
  const answer = (path: string) => {
    const asked = new URLSearchParams(path.split('?')[1]);
    const from = Number(asked.get('from')), count = Math.min(Number(asked.get('limit')), most, size - from + 1);
    return Array.from({ length: count }, (_, i) => `{"seq":${from + i},"at":"${at(from + i)}"}\n`).join('');
  };
  api.ask = async (_, path) => new Response(path === 'journal/checkpoint' ? `tocsin\n${size}\nroot\n\n` : answer(path));
  return api;
}

async function whole(api: Api, from: string, to: string): Promise<{ pages: Period[]; seqs: number[] }> {
  const pages = [await api.period(from, to)];
  for (let rest = pages[0]?.rest; rest; rest = pages.at(-1)?.rest) pages.push(await api.periodOn(rest));
  return { pages, seqs: pages.flatMap((page) => page.events.map((event) => event.seq)) };
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test('a period that is longer than one answer says so and goes on, without gap and double', async () => {
  const { pages, seqs } = await whole(journal(20_000, 10_000), at(3000), at(15_001));
  assert.deepEqual(seqs, range(3000, 15_000));
  assert.equal(pages.length, 3);
});

test('an answer that the daemon cut is not the end', async () => {
  const { seqs } = await whole(journal(1000, 100), at(1), at(5000));
  assert.deepEqual(seqs, range(1, 1000));
});

test('a period of one answer has no rest; an empty one neither', async () => {
  const api = journal(1000, 10_000);
  assert.deepEqual(await api.period(at(2000), at(3000)), { events: [], rest: null });
  assert.equal((await api.period(at(10), at(20))).rest, null);
});
