import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketLabels, percent } from '../src/figures';
import { sayIn } from '../src/texts';
import { dateOf, dayBegins, offsetMin } from '../src/time';

test("the police's own buckets, as they say them", () => {
  const labels = (limits: number[]) => bucketLabels(limits, sayIn('en'));
  assert.deepEqual(labels([30, 60, 120, 180]), ['0–30 s', '30–60 s', '60–120 s', '120–180 s', '> 180 s']);
  assert.deepEqual(labels([300, 600, 900, 1800]), ['0–5 min', '5–10 min', '10–15 min', '15–30 min', '> 30 min']);
  assert.deepEqual(labels([1800, 3600, 7200, 14400]), ['0–30 min', '30–60 min', '1–2 h', '2–4 h', '> 4 h']);
  assert.equal(percent(0.125, 'en'), '12.5%');
  assert.equal(percent(null, 'en'), '–');
});

test("a day begins at the school's midnight, also when the clock changes on it", () => {
  assert.equal(dayBegins('2026-11-24', 'Asia/Shanghai').toISOString(), '2026-11-23T16:00:00.000Z');
  assert.equal(dayBegins('2026-11-24', 'Asia/Shanghai', 1).toISOString(), '2026-11-24T16:00:00.000Z');
  assert.equal(dayBegins('2026-10-25', 'Europe/Berlin').toISOString(), '2026-10-24T22:00:00.000Z');
  assert.equal(dayBegins('2026-10-25', 'Europe/Berlin', 1).toISOString(), '2026-10-25T23:00:00.000Z');
  assert.equal(offsetMin(Date.parse('2026-11-24T16:30:00Z'), 'Asia/Kathmandu'), 345);
  assert.equal(dateOf(Date.parse('2026-11-23T16:00:00Z'), 'Asia/Shanghai'), '2026-11-24');
  assert.equal(dateOf(Date.parse('2026-11-23T15:59:59Z'), 'Asia/Shanghai'), '2026-11-23');
});
