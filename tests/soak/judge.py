"""Does something grow that should not? Slopes of series, and what each may be.

    verdict = judge("descriptors", [(0.0, 31), (10.0, 31), …])     # seconds, value
    verdict.word        "flat", "grows" or "not judged"

The slope is the median of the slopes of all pairs (Theil and Sen): a spike does not move it. It counts as a leak when even
the lower end of its 99 % range (Kendall's) is above the bound. Samples are first gathered into at most BLOCKS medians, so
that a step which many samples repeat counts once.
"""
import math
import statistics
from dataclasses import dataclass, field

BLOCKS = 120
CONFIDENCE = 2.576      # of the normal distribution: 99 %
WARM_UP_S = 300         # the first minutes are left out: pools and caches fill, threads start …
WARM_UP_SHARE = 0.25    # … but at most this part of a short run
JUDGED_FROM_S = 890     # a shorter window says nothing: one page more in it would be megabytes a day


@dataclass(frozen=True)
class Bound:
    name: str
    unit: str
    per_hour: float
    why: str


BOUNDS = [
    Bound("rss", "KiB", 256, "180 MiB a month: far from the unit's limit of 1 GiB; a leak of 4 KiB a press is seen"),
    Bound("descriptors", "", 0.5, "12 a day; one that leaks with each press or connection shows as 60 an hour and more"),
    Bound("threads", "", 0.2, "none is started after the start; one an hour would be seen"),
    Bound("wal", "KiB", 512, "the log is written anew from its beginning; it may grow once when it is full"),
    Bound("db_per_event", "B", 64, "what an event costs on the disk stays what it is; an index that decays would show"),
    Bound("receipt", "ms", 2, "a lookup that gets slower with what is remembered would show; noise does not"),
    Bound("endpoint", "ms", 2, "the same, to both endpoints"),
]
LEVELS = {"db_per_event": (4096, "a line, its leaf, its place in two indexes, its part of a checkpoint"),
          "wal": (64 * 1024, "KiB: the log is emptied long before")}


@dataclass
class Verdict:
    name: str
    unit: str
    bound: float
    samples: int = 0
    slope: float = 0.0
    low: float = 0.0
    high: float = 0.0
    median: float = 0.0
    last: float = 0.0
    word: str = "not judged"
    problems: list = field(default_factory=list)

    def as_json(self):
        low, high = (round(end, 3) if math.isfinite(end) else None for end in (self.low, self.high))
        return {"per_hour": round(self.slope, 3), "low": low, "high": high, "bound": self.bound,
                "unit": self.unit, "median": round(self.median, 3), "last": round(self.last, 3), "samples": self.samples,
                "verdict": self.word}


def blocks(series):
    size = max(1, math.ceil(len(series) / BLOCKS))
    cut = [series[i:i + size] for i in range(0, len(series), size)]
    return [(statistics.fmean(t for t, _ in part), statistics.median(v for _, v in part)) for part in cut]


def fit(series):
    """(slope, low, high) in units an hour."""
    points = blocks(series)
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) * 3600 for i, a in enumerate(points) for b in points[i + 1:] if b[0] > a[0])
    if not slopes:
        return 0.0, -math.inf, math.inf
    n, pairs = len(points), len(slopes)
    width = CONFIDENCE * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low, high = int((pairs - width) / 2), math.ceil((pairs + width) / 2)
    return (statistics.median(slopes), slopes[low] if low >= 0 else -math.inf, slopes[high] if high < pairs else math.inf)


def after_warm_up(series):
    if not series:
        return []
    start, end = series[0][0], series[-1][0]
    from_s = start + min(WARM_UP_S, WARM_UP_SHARE * (end - start))
    return [(t, v) for t, v in series if t >= from_s]


def judge(name, series):
    bound = next(bound for bound in BOUNDS if bound.name == name)
    verdict, kept = Verdict(name, bound.unit, bound.per_hour), after_warm_up(series)
    verdict.samples = len(kept)
    if len(kept) < 2:
        return verdict
    verdict.slope, verdict.low, verdict.high = fit(kept)
    verdict.median, verdict.last = statistics.median(v for _, v in kept), kept[-1][1]
    if kept[-1][0] - kept[0][0] >= JUDGED_FROM_S:
        if name in LEVELS and verdict.last > LEVELS[name][0]:
            verdict.problems.append(f"{name} is {verdict.last:.0f}, more than {LEVELS[name][0]} ({LEVELS[name][1]})")
        verdict.word = "grows" if verdict.low > bound.per_hour else "flat"
        if verdict.word == "grows":
            verdict.problems.append(f"{name} grows by {verdict.slope:.1f} {bound.unit} an hour (99 %: more than "
                                    f"{verdict.low:.1f}); at most {bound.per_hour} is right: {bound.why}")
    return verdict


def check_yourself(random):
    """Made-up series: what leaks is found, what does not is left alone. Returns what is wrong with the judge."""
    def series(value):
        return [(10.0 * i, value(i)) for i in range(240)]  # 40 minutes

    noise = [random.gauss(0, 1) for _ in range(240)]
    cases = [("a flat line", "descriptors", series(lambda i: 31), "flat"),
             ("a descriptor a minute", "descriptors", series(lambda i: 31 + i // 6), "grows"),
             ("a descriptor every 5 minutes", "descriptors", series(lambda i: 31 + i // 30), "grows"),
             ("one descriptor more, once", "descriptors", series(lambda i: 31 + (i > 100)), "flat"),
             ("noise of 1 MiB", "rss", series(lambda i: 20000 + 1000 * noise[i]), "flat"),
             ("noise, and 1 MiB an hour below it", "rss", series(lambda i: 20000 + 100 * noise[i] + i * 1024 / 360), "grows"),
             ("a step of 200 KiB", "rss", series(lambda i: 20000 + 200 * (i > 120)), "flat"),
             ("growth in the first minutes", "rss", series(lambda i: 20000 + 100 * min(i, 25)), "flat"),
             ("spikes of another process", "receipt", series(lambda i: 5 + abs(noise[i]) + (300 if i % 17 == 0 else 0)), "flat"),
             ("30 ms an hour slower", "receipt", series(lambda i: 5 + abs(noise[i]) + i * 30 / 360), "grows"),
             ("a run of 3 minutes", "descriptors", series(lambda i: 31 + i)[:18], "not judged")]
    wrong = []
    for what, name, made_up, expected in cases:
        word = judge(name, made_up).word
        if word != expected:
            wrong.append(f"the judge says \"{word}\" of {what}; it is \"{expected}\"")
    if not judge("wal", series(lambda i: 70 * 1024)).problems:
        wrong.append("the judge does not mind a log of 70 MiB")
    return wrong
