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

/** The day of a moment in a zone, comparable as text. */
export function day(at: string | number, zone?: string): string {
  return format('en', zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(at));
}

/** "0:42", "12:05", "1:02:03"; never below zero. */
export function span(ms: number): string {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
