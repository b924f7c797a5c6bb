"""What was measured, for people (a table, a plot) and for programs (one JSON object)."""
import json
import math
import statistics

from figures import COUNTS, FIGURES, percentile


def _number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cell(values):
    present = [value for value in values if value is not None]
    return _number(statistics.median(present)) if present else "-"


def _figure_row(book, figure):
    columns, spread = book.values[figure.name], figure.spread(book)
    shown = f"{spread['median']:.2f} ({spread['min']:.2f} … {spread['max']:.2f})" if spread else "no number"
    base = _cell(columns.get(figure.base, [])) if figure.base else ""
    measured = _cell(columns.get(figure.subject, []))
    return (figure.text, figure.unit, base, measured, shown, f"{figure.goal} {figure.limit:g}",
            "reached" if figure.reached(book) else "MISSED")


def table(book):
    rows = [("", "unit", "beside", "tocsind", "ratio (min … max)", "goal", "")]
    rows += [_figure_row(book, figure) for figure in FIGURES if figure.name in book.values]
    for name, text in COUNTS.items():
        if name in book.values:
            total = count(book, name)
            rows.append((text, "", _number(sum(book.values[name].get("floor", []))), _number(total), "", "0",
                         "MISSED" if total else "reached"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", "beside: the naive pipeline; for the bad endpoints, Tocsin without them"])


def count(book, name):
    return sum(book.values.get(name, {}).get("tocsind", []))


def as_json(book):
    answer = {figure.name: figure.spread(book) for figure in FIGURES if figure.name in book.values}
    answer.update({name: count(book, name) for name in COUNTS if name in book.values})
    return json.dumps({name: _rounded(value) for name, value in answer.items()})


def _rounded(value):
    return {key: round(number, 3) for key, number in value.items()} if isinstance(value, dict) else value


# ---- the plot: latency over percentile, each nine as wide as the one before it ----

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 470, 70, 30, 76, 60
COLOURS = {"floor": "#8a8a8a", "tocsind": "#c0392b"}
NAMES = {"floor": "naive pipeline", "tocsind": "Tocsin"}
TICKS = (0, 0.5, 0.9, 0.99, 0.999)
SHARES = [1 - 10 ** (-step / 40) for step in range(0, 125)]


def _x(share):
    nines = -math.log10(1 - share)
    return LEFT + nines / -math.log10(1 - SHARES[-1]) * (WIDTH - LEFT - RIGHT)


class _Scale:
    """Logarithmic, over whole decades and their halves."""

    def __init__(self, low, high):
        steps = [mantissa * 10 ** power for power in range(0, 9) for mantissa in (1, 2, 5)]
        self.low = max(step for step in steps if step <= max(low, 1))
        self.high = min(step for step in steps if step >= min(high, steps[-1]))
        self.marks = [step for step in steps if self.low <= step <= self.high]

    def y(self, value):
        share = math.log(max(value, self.low) / self.low) / math.log(max(self.high / self.low, 1.01))
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _text(x, y, text, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{text}</text>'


def _line(x1, y1, x2, y2):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#e4e4e4"/>'


def _polyline(scale, values, colour, extra):
    points = " ".join(f"{_x(share):.1f},{scale.y(percentile(values, share)):.1f}" for share in SHARES)
    return f'<polyline points="{points}" fill="none" stroke="{colour}" {extra}/>'


def _grid(scale):
    for mark in scale.marks:
        yield _line(LEFT, scale.y(mark), WIDTH - RIGHT, scale.y(mark))
        yield _text(LEFT - 8, scale.y(mark) + 4, f"{mark:g} µs" if mark < 1000 else f"{mark / 1000:g} ms", "end")
    for share in TICKS:
        yield _line(_x(share), TOP, _x(share), HEIGHT - BOTTOM)
        yield _text(_x(share), HEIGHT - BOTTOM + 18, f"{share * 100:g} %")


def _curves(scale, subject, runs, place):
    colour, whole = COLOURS[subject], [value for run in runs for value in run]
    for run in runs:
        yield _polyline(scale, run, colour, 'opacity="0.35"')
    yield _polyline(scale, whole, colour, 'stroke-width="2.5"')
    legend = (f"{NAMES[subject]}: median {percentile(whole, 0.5):.0f} µs, 99 % within {percentile(whole, 0.99):.0f} µs "
              f"({len(runs)} runs, {len(whole)} presses)")
    yield _text(LEFT, 44 + 18 * place, legend, "start", f'fill="{colour}"')


def plot(book):
    """SVG: the latency distribution of both subjects; thin lines are single runs, thick ones all runs together."""
    everything = [value for runs in book.latencies.values() for run in runs for value in run]
    scale = _Scale(min(everything), max(everything))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
           ' font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           _text(LEFT, 24, "From a press to both endpoints", "start", 'font-size="16" font-weight="bold"'),
           _text(WIDTH / 2, HEIGHT - 14, "percentile of presses"), *_grid(scale)]
    for place, (subject, runs) in enumerate(sorted(book.latencies.items())):
        out += _curves(scale, subject, [run for run in runs if run], place)
    return "\n".join([*out, "</svg>"]) + "\n"
