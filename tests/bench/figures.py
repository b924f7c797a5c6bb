"""What is measured: one function a figure group. Each fills the book with one value per repetition and column."""
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from parts import BadEndpoints, Rig, processor_s, resident_mb

WARM_UP = 100
WARM_UP_JOINED = 10  # presses of one site gather for up to 100 ms
LATENCY_PRESSES, LATENCY_SLICES = 2000, 5
BAD_PRESSES, BAD_RUNS = 1000, 3
BURST_DEVICES, BURST_EACH = 1000, 10
HEARTBEAT_STEPS = (10000, 20000, 30000, 40000, 50000, 60000, 80000, 100000, 120000)
HEARTBEAT_STEP_S, HEARTBEAT_PRESSES = 2, 50  # seconds of a step; presses beside it, each second
HEARTBEAT_TRIES = 3
HEARTBEAT_LATE_US = 100000
CPU_RATE, CPU_S = 10000, 4
REST_RATE, REST_S = 20000, 3
MEMORY = (("rss_mb_1k", 1000, 1000), ("rss_mb_100k", 2000, 100000))  # figure, sites, devices
BOOT_EVENTS = 1000000


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


class Book:
    """figure → column → one value for each repetition. A column is a subject, or with/without."""

    def __init__(self, tools, repetitions):
        self.tools, self.repetitions = tools, repetitions
        self.values = {}
        self.latencies = {}  # subject → runs of µs, for the plot
        self.notes = []

    def turns(self, what, *columns):
        """Every column in every repetition; who begins changes, so that none always follows the same one."""
        for repetition in range(self.repetitions):
            first = repetition % len(columns)
            for column in columns[first:] + columns[:first]:
                print(f"{what}: {column}, run {repetition + 1} of {self.repetitions}", file=sys.stderr, flush=True)
                yield column

    def add(self, figure, column, value):
        self.values.setdefault(figure, {}).setdefault(column, []).append(value)

    def note(self, text):
        self.notes.append(text)
        print(text, file=sys.stderr, flush=True)

    def add_losses(self, subject, result, rig, what):
        """After the rig has ended. Whatever is missing or double is said, so that it can be looked for."""
        lost = sum(time_us is None for time_us in result["both_us"])
        if subject == "tocsind":
            lost += sum(time_us is None for time_us in result["receipt_us"])
        self.add("lost", subject, lost)
        self.add("doubled", subject, rig.doubled)
        if lost or rig.doubled:
            self.note(f"{what}, {subject}: {lost} lost, {rig.doubled} doubled")


def arrived(result):
    return [time_us for time_us in result["both_us"] if time_us is not None]


def latency(book):
    """One press at a time, each opening an alarm. Both subjects are there and are measured slice by slice in turns, so
    that what else the machine does meets both."""
    each = LATENCY_PRESSES // LATENCY_SLICES
    devices = LATENCY_SLICES * (WARM_UP + each)
    for _ in book.turns("latency", "floor beside tocsind"):
        with Rig(book.tools, "floor", devices, devices) as floor, Rig(book.tools, "tocsind", devices, devices) as tocsind:
            slices = {floor: [], tocsind: []}
            for part in range(LATENCY_SLICES):
                for rig in (floor, tocsind) if part % 2 == 0 else (tocsind, floor):
                    slices[rig].append(rig.generate("latency", receipts=rig is tocsind, first=part * (WARM_UP + each),
                                                    warm_up=WARM_UP, count=each))
        for rig, results in slices.items():
            result = {name: [time_us for one in results for time_us in one[name]] for name in ("both_us", "receipt_us")}
            book.add_losses(rig.kind, result, rig, "latency")
            book.latencies.setdefault(rig.kind, []).append(arrived(result))
            book.add("latency_p50_ratio", rig.kind, percentile(arrived(result), 0.50))
            book.add("latency_p99_ratio", rig.kind, percentile(arrived(result), 0.99))


def burst(book):
    """10,000 presses of 1,000 devices: the floor once a turn, Tocsin as a thousand sites and as one."""
    many, one = "burst_sites_ratio", "burst_one_site_ratio"
    devices = WARM_UP + BURST_DEVICES
    shapes = {"floor": ("floor", devices, WARM_UP, (many, one)),
              "a thousand sites": ("tocsind", devices, WARM_UP, (many,)),
              "one site": ("tocsind", 1, WARM_UP_JOINED, (one,))}
    for shape in book.turns("burst", *shapes):
        subject, sites, warm_up, figures = shapes[shape]
        with Rig(book.tools, subject, sites, devices, each=BURST_EACH) as rig:
            result = rig.generate("burst", receipts=subject == "tocsind", first=0, warm_up=warm_up, count=BURST_DEVICES,
                                  each=BURST_EACH)
        book.add_losses(subject, result, rig, f"burst ({shape})")
        rate = result["presses"] / result["seconds"] if result["seconds"] else None  # None: not all came
        for figure in figures:
            book.add(figure, subject, rate)


def _count_heartbeats(rig, wanted, within_s=3):
    until = time.monotonic() + within_s
    while (counted := rig.subject.heartbeats()) < wanted and time.monotonic() < until:
        time.sleep(0.05)
    return counted


def _what_broke(rig, rate, first):
    """Nothing when at this rate no press was late or lost, all heartbeats were counted and the generator kept it."""
    before = rig.subject.heartbeats()
    result = rig.generate("heartbeats", first=first, count=HEARTBEAT_PRESSES * HEARTBEAT_STEP_S, rate=rate,
                          seconds=HEARTBEAT_STEP_S, press_rate=HEARTBEAT_PRESSES)
    sent = result["heartbeats"]
    return [text for text, bad in (
        ("a press lost", None in result["both_us"]),
        ("a press late", max(arrived(result), default=0) > HEARTBEAT_LATE_US),
        ("the generator too slow", sent < 0.95 * rate * result["heartbeat_seconds"]),
        ("heartbeats not counted", _count_heartbeats(rig, before + sent) - before < 0.999 * sent)) if bad]


def heartbeats(book):
    """Processor time for each at 10,000 a second; then rising rates with presses beside them, each tried some times."""
    presses = HEARTBEAT_PRESSES * HEARTBEAT_STEP_S
    devices = 2 * WARM_UP + HEARTBEAT_TRIES * presses * len(HEARTBEAT_STEPS)
    for subject in book.turns("heartbeats", "floor", "tocsind"):
        with Rig(book.tools, subject, devices, devices) as rig:
            rig.generate("latency", first=0, warm_up=WARM_UP, count=WARM_UP)
            used_s = processor_s(rig.subject.pid)
            result = rig.generate("heartbeats", first=0, count=1, rate=CPU_RATE, seconds=CPU_S, press_rate=0)
            used_s = processor_s(rig.subject.pid) - used_s
            book.add("heartbeat_cpu_ratio", subject, used_s * 1e6 / result["heartbeats"])
            held, first = 0, 2 * WARM_UP
            for rate in HEARTBEAT_STEPS:
                for _ in range(HEARTBEAT_TRIES):
                    broke = _what_broke(rig, rate, first)
                    first += presses
                    if not broke:
                        break
                if broke:
                    book.note(f"heartbeats, {subject}: {rate} a second did not hold: {', '.join(broke)}")
                    break
                held = rate
        book.add("heartbeat_rate_ratio", subject, held)
        book.add("doubled", subject, rig.doubled)


def memory(book):
    """Resident at rest: connected, every device heard once, no alarm."""
    for figure, sites, devices in MEMORY:
        for subject in book.turns(f"memory with {devices:,} devices", "tocsind"):
            with Rig(book.tools, subject, sites, devices) as rig:
                rig.generate("heartbeats", first=0, count=1, rate=REST_RATE, seconds=1 + devices // REST_RATE,
                             press_rate=0)
                if _count_heartbeats(rig, devices) < devices:
                    book.note(f"memory with {devices:,} devices: not every device was heard")
                time.sleep(REST_S)
                book.add(figure, subject, resident_mb(rig.subject.pid))


def _forget_pages(folder):
    """The journal has to be read from the disk again."""
    for file in Path(folder).glob("journal.db*"):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def boot(book):
    """From exec to /readyz on a journal of a million events, as a kill leaves it."""
    def make_journal(file):
        subprocess.run([book.tools.program("make_journal"), "--config", file, "--events", str(BOOT_EVENTS)], check=True,
                       stdout=subprocess.DEVNULL)

    print(f"boot: making a journal of {BOOT_EVENTS} events", file=sys.stderr, flush=True)
    with Rig(book.tools, "tocsind", 1000, 1000, prepare=make_journal) as rig:
        for subject in book.turns("boot", "tocsind"):
            rig.subject.kill()
            _forget_pages(rig.folder)
            started = time.monotonic()
            rig.subject.start(within_s=120)
            book.add("boot_1m_events_s", subject, time.monotonic() - started)


def bad_endpoints(book):
    """The tail of the healthy endpoints' latency, with and without three bad ones in the same plan: that of some runs in
    turns together, as a single slow sync of the disk is the tail of a short one."""
    devices = WARM_UP + BAD_PRESSES
    for _ in book.turns("bad endpoints", "with and without"):
        times = {"without": [], "with": []}
        for column in tuple(times) * BAD_RUNS:
            with BadEndpoints() as bad, Rig(book.tools, "tocsind", devices, devices,
                                            bad_urls=bad.urls if column == "with" else ()) as rig:
                result = rig.generate("latency", receipts=True, first=0, warm_up=WARM_UP, count=BAD_PRESSES)
            book.add_losses("tocsind", result, rig, f"bad endpoints ({column})")
            times[column] += arrived(result)
        for column, both_us in times.items():
            book.add("bad_endpoints_p99_ratio", column, percentile(both_us, 0.99))


GROUPS = {"latency": latency, "burst": burst, "heartbeats": heartbeats, "memory": memory, "boot": boot,
          "bad": bad_endpoints}


class Figure:
    """How a figure is judged. `base`: the column that it is a ratio to; None for a plain value."""

    def __init__(self, name, text, unit, base, subject, goal, limit):
        self.name, self.text, self.unit, self.base, self.subject = name, text, unit, base, subject
        self.goal, self.limit = goal, limit

    def per_run(self, book):
        """One number a repetition: the ratio of what was measured in the same turn, or the value."""
        columns = book.values.get(self.name, {})
        values = columns.get(self.subject, [])
        if self.base is None:
            return [value for value in values if value is not None]
        return [value / base for value, base in zip(values, columns.get(self.base, [])) if value is not None and base]

    def spread(self, book):
        values = self.per_run(book)
        return {"median": statistics.median(values), "min": min(values), "max": max(values)} if values else None

    def reached(self, book):
        """A run that gave no number reaches nothing."""
        spread = self.spread(book)
        if spread is None or None in book.values[self.name].get(self.subject, []):
            return False
        return spread["median"] <= self.limit if self.goal == "≤" else spread["median"] >= self.limit


FIGURES = [Figure(*row) for row in (
    ("latency_p50_ratio", "press → both endpoints, median", "µs", "floor", "tocsind", "≤", 1.0),
    ("latency_p99_ratio", "press → both endpoints, 99th percentile", "µs", "floor", "tocsind", "≤", 1.0),
    ("burst_sites_ratio", "burst, a thousand sites", "presses/s", "floor", "tocsind", "≥", 4.0),
    ("burst_one_site_ratio", "burst, one site", "presses/s", "floor", "tocsind", "≥", 4.0),
    ("heartbeat_rate_ratio", "heartbeats beside presses in time", "1/s", "floor", "tocsind", "≥", 1.0),
    ("heartbeat_cpu_ratio", "processor time of a heartbeat", "µs", "floor", "tocsind", "≤", 2.0),
    ("rss_mb_1k", "resident at rest, 1,000 devices", "MB", None, "tocsind", "≤", 35),
    ("rss_mb_100k", "resident at rest, 100,000 devices", "MB", None, "tocsind", "≤", 150),
    ("boot_1m_events_s", "start on 1,000,000 events", "s", None, "tocsind", "≤", 3.0),
    ("bad_endpoints_p99_ratio", "p99 beside three bad endpoints", "µs", "without", "with", "≤", 1.2),
)]
COUNTS = {"lost": "lost presses and receipts", "doubled": "doubled at an endpoint"}
