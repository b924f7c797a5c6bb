// How figures are said: spans of time between limits, shares. Pure.

import type { Language, Say } from './texts';

const UNITS = [['h', 3600, 7200], ['min', 60, 300], ['s', 1, 0]] as const; // from which limit on

/** "0–30 s", …, "> 180 s": one more than there are limits. */
export function bucketLabels(limitsS: number[], say: Say): string[] {
  const unit = (s: number) => UNITS.find(([, , from]) => s >= from) ?? UNITS[2];
  const between = limitsS.map((to, i) => {
    const [name, seconds] = unit(to);
    return say(`figures.between.${name}`, { from: (limitsS[i - 1] ?? 0) / seconds, to: to / seconds });
  });
  const last = limitsS.at(-1) ?? 0;
  const [name, seconds] = unit(last);
  return [...between, say(`figures.above.${name}`, { from: last / seconds })];
}

/** 0.125 is "12.5 %"; null: there is nothing to share. */
export function percent(share: number | null, language: Language): string {
  return share === null ? '–' : new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 }).format(share);
}
