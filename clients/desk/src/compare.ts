// Two courses of one alarm, laid beside each other. Pure.

import type { Comparison, Course, CourseEvent } from './types';

/** Only the journal has these: that they are missing in a course that never happened says nothing. */
const OF_THE_JOURNAL = new Set(['delivery_result', 'note_added']);
const SAME_MS = 1000; // a telling that is no more apart is no difference between plans

export interface Marked {
  event: CourseEvent;
  onlyHere: boolean;
}

function keyOf(event: CourseEvent): string {
  const { what, endpoint, change, device, by, state, deadline, step, disposition } = event;
  return JSON.stringify([what, endpoint, change, device, by, state, deadline, step, disposition]);
}

/** Which moments of a course the other one has not; what came twice here and once there is there once. */
export function markOnlyHere(course: Course, other: Course): Marked[] {
  const there = new Map<string, number>();
  for (const event of other.timeline) there.set(keyOf(event), (there.get(keyOf(event)) ?? 0) + 1);
  return course.timeline.map((event) => {
    const left = there.get(keyOf(event)) ?? 0;
    there.set(keyOf(event), left - 1);
    return { event, onlyHere: left <= 0 && !OF_THE_JOURNAL.has(event.what) };
  });
}

export interface FirstTold {
  endpoint: string;
  happenedMs: number | null; // null: never
  todayMs: number | null;
  differs: boolean;
}

/** When each endpoint was told first, and when it would be today; in the order in which they were. */
export function firstTold({ happened, today }: Comparison): FirstTold[] {
  const first = (course: Course, endpoint: string) =>
    course.timeline.find((event) => event.what === 'told' && event.endpoint === endpoint)?.after_ms ?? null;
  const told = [...happened.timeline, ...today.timeline].filter((event) => event.what === 'told');
  const endpoints = [...new Set(told.map((event) => event.endpoint ?? ''))];
  return endpoints.map((endpoint) => {
    const happenedMs = first(happened, endpoint), todayMs = first(today, endpoint);
    const differs = happenedMs === null || todayMs === null ? happenedMs !== todayMs : Math.abs(happenedMs - todayMs) > SAME_MS;
    return { endpoint, happenedMs, todayMs, differs };
  });
}
