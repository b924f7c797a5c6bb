// Moments as people read them: in the site's zone, with the zone shown.

import type { Language } from './texts';

const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: Language, zone: string | undefined, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${zone} ${JSON.stringify(options)}`;
  let made = formats.get(key);
  if (!made) {
    try {
      made = new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: 'h23', ...options });
    } catch {
      made = new Intl.DateTimeFormat(language, { timeZone: 'UTC', hourCycle: 'h23', ...options }); // a zone it does not know
    }
    formats.set(key, made);
  }
  return made;
}

/** "03:12:45 GMT+8" */
export function clock(at: string | number, language: Language, zone?: string): string {
  return format(language, zone, { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' })
    .format(new Date(at));
}

/** "24 Nov, 03:12:45 GMT+8" */
export function moment(at: string | number, language: Language, zone?: string): string {
  return format(language, zone, {
    month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
  }).format(new Date(at));
}

/** "2026 Nov 24, 03:12:45 GMT+8": for what is read on paper, years later. */
export function dated(at: string | number, language: Language, zone?: string): string {
  return format(language, zone, {
    year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
  }).format(new Date(at));
}

/** Minutes that a zone's wall clock is east of UTC at a moment. */
export function offsetMin(atMs: number, zone?: string): number {
  if (!zone) return -new Date(atMs).getTimezoneOffset();
  const part = (type: string) => Number(parts.find((p) => p.type === type)?.value);
  const parts = format('en', zone, {
    year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
  }).formatToParts(new Date(atMs));
  const wall = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return Math.round((wall - Math.floor(atMs / 1000) * 1000) / 60_000);
}

/** What a zone's wall clock shows at a moment, as a datetime-local field wants it: "2026-11-24T03:12". */
export function wallOf(atMs: number, zone?: string): string {
  return new Date(atMs + offsetMin(atMs, zone) * 60_000).toISOString().slice(0, 16);
}

/** When a zone's wall clock shows that; `plusDays` later. */
export function momentOf(wall: string, zone?: string, plusDays = 0): Date {
  const utc = Date.parse(`${wall}Z`) + plusDays * 86_400_000;
  const guess = utc - offsetMin(utc, zone) * 60_000;
  return new Date(utc - offsetMin(guess, zone) * 60_000);
}

/** When a day, "2026-11-24", begins in a zone; `plusDays` later. */
export function dayBegins(text: string, zone?: string, plusDays = 0): Date {
  return momentOf(`${text}T00:00`, zone, plusDays);
}

/** The day of a moment in a zone, as a date field wants it: "2026-11-24". */
export function dateOf(atMs: number, zone?: string): string {
  return wallOf(atMs, zone).slice(0, 10);
}

/** "GMT+8": the name of a zone at a moment. */
export function zoneName(atMs: number, language: Language, zone?: string): string {
  const parts = format(language, zone, { hour: '2-digit', timeZoneName: 'short' }).formatToParts(new Date(atMs));
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
}

/** "0:42", "12:05", "1:02:03"; never below zero. */
export function span(ms: number): string {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
