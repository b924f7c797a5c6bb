// The fields by which closed alarms are picked: a choice, a school, a period in the schools' own days.

import type { Desk } from '../desk';
import { dateOf, dayBegins } from '../time';

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value;
  choices: readonly (readonly [Value, string])[];
  onChange: (value: Value) => void;
}

export function Choice<Value extends string>({ label, value, choices, onChange }: ChoiceProps<Value>) {
  return (
    <label>{label}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value as Value)}>
        {choices.map(([word, text]) => <option key={word} value={word}>{text}</option>)}
      </select></label>
  );
}

export function SiteChoice({ desk, value, onChange }: { desk: Desk; value: string; onChange: (site: string) => void }) {
  const sites = [...desk.sites.values()].map((site) => [site.id, site.name ?? site.id] as const);
  return (
    <Choice label={desk.say('history.site')} value={value} onChange={onChange} choices={[['', desk.say('history.all')], ...sites]} />
  );
}

export type Span = 'today' | 'week' | 'month' | 'year' | 'ever' | 'own';
const SPANS: Span[] = ['today', 'week', 'month', 'year', 'ever', 'own'];
const DAYS: Partial<Record<Span, number>> = { today: 0, week: 7, month: 30, year: 365 };

/** `first` and `last`: days, of a span of one's own. */
export interface Period {
  span: Span;
  first: string;
  last: string;
}

export function periodOf(desk: Desk, span: Span): Period {
  const today = dateOf(desk.api.nowMs(), desk.homeZone());
  return { span, first: today, last: today };
}

/** As the daemon wants it: from a moment on, before another; "" = no end. */
export function timesOf(desk: Desk, { span, first, last }: Period): { from: string; to: string } {
  const zone = desk.homeZone();
  const days = DAYS[span];
  if (days !== undefined) return { from: dayBegins(dateOf(desk.api.nowMs(), zone), zone, -days).toISOString(), to: '' };
  if (span === 'ever') return { from: '', to: '' };
  return { from: first && dayBegins(first, zone).toISOString(), to: last && dayBegins(last, zone, 1).toISOString() };
}

export function PeriodFields({ desk, period, onChange }: { desk: Desk; period: Period; onChange: (period: Period) => void }) {
  const date = (name: 'first' | 'last') => (
    <label>{desk.say(`history.${name}`)}
      <input type="date" name={name} value={period[name]} onChange={(event) => onChange({ ...period, [name]: event.currentTarget.value })} />
    </label>
  );
  return (
    <>
      <Choice label={desk.say('history.since')} value={period.span} onChange={(span) => onChange({ ...period, span })}
        choices={SPANS.map((span) => [span, desk.say(`span.${span}`)] as const)} />
      {period.span === 'own' && date('first')}
      {period.span === 'own' && date('last')}
    </>
  );
}
