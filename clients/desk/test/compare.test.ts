import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstTold, markOnlyHere } from '../src/compare';
import type { Course, CourseEvent } from '../src/types';

const course = (...timeline: CourseEvent[]): Course => ({ plan: 'p', state: 'closed', cut: false, timeline });
const told = (endpoint: string, after_ms: number): CourseEvent => ({ after_ms, what: 'told', endpoint, step: 1, change: 'opened' });
const PRESS: CourseEvent = { after_ms: 0, what: 'press_received', device: 'd', kind: 'panic' };

test('what one course has and the other has not is marked, as often as it is too much', () => {
  const happened = course(PRESS, told('police', 0), told('police', 30), { after_ms: 40, what: 'delivery_result', endpoint: 'police' });
  const today = course(PRESS, told('police', 900), told('guard', 0));
  const marks = (a: Course, b: Course) => markOnlyHere(a, b).map((marked) => marked.onlyHere);
  assert.deepEqual(marks(happened, today), [false, false, true, false]);
  assert.deepEqual(marks(today, happened), [false, false, true]);
});

test('who would be told earlier, later or not at all differs; what the same plan does does not', () => {
  const happened = course(PRESS, told('police', 5), told('bureau', 5), told('guard', 60_000), told('police', 9000));
  const today = course(PRESS, told('police', 0), told('guard', 30_000), told('leader', 0));
  assert.deepEqual(firstTold({ alarm: 'a', happened, today }), [
    { endpoint: 'police', happenedMs: 5, todayMs: 0, differs: false },
    { endpoint: 'bureau', happenedMs: 5, todayMs: null, differs: true },
    { endpoint: 'guard', happenedMs: 60_000, todayMs: 30_000, differs: true },
    { endpoint: 'leader', happenedMs: null, todayMs: 0, differs: true },
  ]);
});
