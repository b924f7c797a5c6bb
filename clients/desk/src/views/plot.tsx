// Bars with their values on them (uPlot). Colours that stand out on light, on dark and on paper alike.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

const BAR = '#3b7dd8', TEXT = '#757575', GRID = '#9a9a9a55';
const FONT = '12px system-ui, "Noto Sans CJK SC", sans-serif';
const HEIGHT = 220, TURNED_HEIGHT = 60;
const LABEL_LETTERS = 12, LETTER_WIDTH = 12;

interface Props {
  labels: string[];
  values: number[];
  unit: string;
}

export default function PlotView({ labels, values, unit }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = holder.current;
    if (!element || values.length === 0) return;
    let plot: uPlot | undefined;
    const watch = new ResizeObserver(() => {
      if (plot?.width === element.clientWidth) return;
      plot?.destroy();
      plot = draw(element, labels.map(short), values, unit);
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot?.destroy();
    };
  }, [JSON.stringify([labels, values, unit])]);
  return <div class="plot" ref={holder} aria-hidden="true" />;
}

function short(label: string): string {
  const letters = [...label];
  return letters.length <= LABEL_LETTERS ? label : `${letters.slice(0, LABEL_LETTERS - 1).join('')}…`;
}

function draw(element: HTMLElement, labels: string[], values: number[], unit: string): uPlot {
  const at = values.map((_, i) => i);
  const widest = Math.max(...labels.map((label) => [...label].length)) * LETTER_WIDTH;
  const isDay = labels.length === 24;
  const every = isDay ? (element.clientWidth < 420 ? 6 : 3) : 1;
  const turned = widest * labels.length > element.clientWidth && !isDay ? 45 : 0;
  const axis = { stroke: TEXT, font: FONT, labelFont: FONT, grid: { stroke: GRID }, ticks: { stroke: GRID } };
  return new uPlot({
    width: element.clientWidth, height: HEIGHT + (turned ? TURNED_HEIGHT : 0), legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false, range: [-0.6, values.length - 0.4] }, y: { range: (_, __, max) => [0, Math.max(1, max * 1.15)] } },
    axes: [
      { ...axis, grid: { show: false }, rotate: turned, size: turned ? 40 + TURNED_HEIGHT : 40, splits: () => at,
        values: (_, splits) => splits.map((i) => (i % every ? '' : labels[i] ?? '')) },
      { ...axis, label: unit, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000, 1_000_000] },
    ],
    series: [{}, { fill: BAR, width: 0, paths: uPlot.paths.bars?.({ size: [0.7, 60] }), points: { show: false } }],
    hooks: { draw: [(plot) => numbers(plot, values)] },
  }, [at, values], element);
}

/** The value above each bar that has one. */
function numbers(plot: uPlot, values: number[]): void {
  const { ctx } = plot;
  if (plot.bbox.width / values.length < 18 * devicePixelRatio) return; // no room; the table has them
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.fillStyle = TEXT;
  ctx.textAlign = 'center';
  for (const [i, value] of values.entries()) {
    if (value > 0) ctx.fillText(String(Math.round(value)), plot.valToPos(i, 'x', true), plot.valToPos(value, 'y', true) - 4 * devicePixelRatio);
  }
  ctx.restore();
}
