// The figures of closed alarms: each as a plot and as a table. Tests and drills are never added to what was real.

import { useEffect, useState } from 'preact/hooks';
import type { Desk } from '../desk';
import { bucketLabels, percent } from '../figures';
import { offsetMin } from '../time';
import type { Figures, Mode, SiteFigures, Spread } from '../types';
import PlotView from './plot';
import { Choice, type Period, periodOf, PeriodFields, SiteChoice, timesOf } from './search';

const MODES: Mode[] = ['real', 'drill', 'test'];
const SPREADS = ['received', 'acknowledged', 'coming', 'feedback'] as const;
const BARS = 24; // a day has as many hours; more schools could not be told apart, the table has them all

interface Question {
  site: string;
  mode: Mode;
  period: Period;
}

export function FiguresView({ desk }: { desk: Desk }) {
  const [question, setQuestion] = useState<Question>(() => ({ site: '', mode: 'real', period: periodOf(desk, 'year') }));
  const [figures, setFigures] = useState<Figures | null>(null);
  const [failure, setFailure] = useState('');
  const { site, period, mode } = question;
  useEffect(() => {
    let wanted = true;
    const offset_min = offsetMin(desk.api.nowMs(), desk.homeZone());
    desk.api.figures({ site, ...timesOf(desk, period), offset_min }).then(
      (answer) => {
        if (!wanted) return;
        setFigures(answer);
        setFailure('');
      },
      (error: unknown) => wanted && setFailure(desk.unread(error)),
    );
    return () => { wanted = false; };
  }, [site, JSON.stringify(period)]);
  return (
    <div class="figures">
      <h1>{desk.say('nav.figures')}: {desk.say(`mode.${mode}`)}</h1>
      <form class="search" onSubmit={(event) => event.preventDefault()}>
        <PeriodFields desk={desk} period={period} onChange={(p) => setQuestion({ ...question, period: p })} />
        <SiteChoice desk={desk} value={site} onChange={(s) => setQuestion({ ...question, site: s })} />
        <Choice label={desk.say('history.mode')} value={mode} onChange={(m) => setQuestion({ ...question, mode: m })}
          choices={MODES.map((m) => [m, desk.say(`mode.${m}`)] as const)} />
        <button type="button" data-do="print" onClick={() => print()}>{desk.say('replay.print')}</button>
      </form>
      <p role="status" class={failure && 'failure'}>
        {failure || (figures && desk.say('figures.counted', { alarms: figures[mode].alarms, presses: figures[mode].presses }))}
        {figures && !figures.complete && <b class="bad"> {desk.say('history.incomplete')}</b>}
      </p>
      {figures && <All desk={desk} figures={figures} mode={mode} />}
    </div>
  );
}

function All({ desk, figures, mode }: { desk: Desk; figures: Figures; mode: Mode }) {
  const sums = figures[mode];
  const name = (site: SiteFigures) => site.name ?? site.id;
  const shares = figures.sites.filter((site) => site.year.alarms > 0);
  return (
    <>
      <Figure name="hours" title={desk.say('figures.hours')} head={desk.say('figures.hour')} unit={desk.say('figures.presses')}
        rows={sums.presses_by_hour.map((count, hour) => ({ label: `${hour}:00`, value: count, cells: [String(count)] }))} />
      <Figure name="sites" title={desk.say('figures.sites')} head={desk.say('history.site')} unit={desk.say('figures.presses')}
        more={[desk.say('figures.alarms')]}
        rows={figures.sites.map((site) => ({
          label: name(site), value: site.presses[mode], cells: [String(site.presses[mode]), String(site.alarms[mode])],
        }))} />
      {SPREADS.map((what) => <SpreadFigure key={what} desk={desk} name={what} spread={sums[what]} alarms={sums.alarms} />)}
      {mode === 'real' && (
        <Figure name="false" title={desk.say('figures.false')} head={desk.say('history.site')} unit={desk.say('figures.falseshare')}
          more={[desk.say('figures.falsecount'), desk.say('figures.alarms')]}
          rows={shares.map((site) => ({
            label: name(site), value: 100 * (site.year.share ?? 0),
            cells: [percent(site.year.share, desk.language), String(site.year.false_alarms), String(site.year.alarms)],
          }))} />
      )}
    </>
  );
}

function SpreadFigure({ desk, name, spread, alarms }: { desk: Desk; name: typeof SPREADS[number]; spread: Spread; alarms: number }) {
  const labels = bucketLabels(spread.limits_s, desk.say);
  const share = (count: number) => percent(alarms ? count / alarms : null, desk.language);
  const rows = spread.counts.map((count, i) => ({ label: labels[i] ?? '', value: count, cells: [String(count), share(count)] }));
  const never = { label: desk.say('figures.never'), value: spread.never, cells: [String(spread.never), share(spread.never)] };
  return (
    <Figure name={name} title={desk.say(`figures.${name}`)} head={desk.say('figures.time')} unit={desk.say('figures.alarms')}
      more={[desk.say('figures.share')]} rows={[...rows, never]} />
  );
}

interface Row {
  label: string;
  value: number;
  cells: string[];
}

interface FigureProps {
  name: string;
  title: string;
  head: string;
  unit: string; // of the values that are plotted: the first cell
  more?: string[]; // heads of the other cells
  rows: Row[];
}

/** The plot is for eyes only: what it shows is in the table beside it. */
function Figure({ name, title, head, unit, more = [], rows }: FigureProps) {
  const plotted = rows.slice(0, BARS);
  return (
    <figure data-figure={name}>
      <figcaption>{title}</figcaption>
      <PlotView labels={plotted.map((row) => row.label)} values={plotted.map((row) => row.value)} unit={unit} />
      <div class="rows" tabIndex={0} role="group" aria-label={title}>
        <table>
          <thead><tr>{[head, unit, ...more].map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
          <tbody>
            {rows.map((row, i) => (
              <tr key={i}>
                <th scope="row"><bdi>{row.label}</bdi></th>
                {row.cells.map((cell, k) => <td key={k}>{cell}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
