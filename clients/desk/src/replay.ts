// The replay's clock: where in a list of events one stands, and how it goes on. Pure. What was known at a moment is asked of
// the daemon, whose own core computes it.

import type { JournalEvent } from './types';

export const SPEEDS = [1, 2, 5, 10, 20, 50, 100];
const TAIL_MS = 1000; // after the last event, so that it is seen

export interface Replay {
  events: JournalEvent[];
  atMs: number;
  playing: boolean;
  speed: number;
}

export function replayOf(events: JournalEvent[]): Replay {
  return { events, atMs: beginOf(events), playing: false, speed: 1 };
}

export function beginOf(events: JournalEvent[]): number {
  return Date.parse(events[0]?.at ?? '1970-01-01T00:00:00Z');
}

export function endOf(events: JournalEvent[]): number {
  return Date.parse(events.at(-1)?.at ?? '1970-01-01T00:00:00Z') + TAIL_MS;
}

/** The last event that had happened; -1: none yet. */
export function indexAt(replay: Replay): number {
  let found = -1;
  for (const [i, event] of replay.events.entries()) if (Date.parse(event.at) <= replay.atMs) found = i;
  return found;
}

export function passed(replay: Replay, ms: number): Replay {
  if (!replay.playing) return replay;
  const atMs = Math.min(replay.atMs + ms * replay.speed, endOf(replay.events));
  return { ...replay, atMs, playing: atMs < endOf(replay.events) };
}

export function playOrPause(replay: Replay): Replay {
  const atEnd = replay.atMs >= endOf(replay.events);
  return { ...replay, playing: !replay.playing, atMs: !replay.playing && atEnd ? beginOf(replay.events) : replay.atMs };
}
