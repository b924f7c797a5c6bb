"""Kills the daemon at every call, lets every call fail, and looks at what became of its promises. Started by ./run."""
import argparse
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import check
import story
from lane import FAULT, Fault, Lane, Violation
from ledger import Ledger

KILLS = ("kill", "half", "after", "late")
ERRORS = ("EIO", "ENOSPC", "EINTR", "EAGAIN", "ECONNRESET", "short")
CHAINS = {"chain": KILLS, "mixed": KILLS + ERRORS}
SAMPLE = {"kill": 10, "half": 4, "after": 4, "late": 6, "EIO": 6, "ENOSPC": 6, "EINTR": 4, "EAGAIN": 2, "ECONNRESET": 10, "short": 2,
          "chain": 2, "mixed": 2}
LIVES = 16          # of a chain; then the daemon is left alone
CALLS_AT_ONCE = 40  # that fail in a row, at most, in a mixed chain: a disk that is full for a while
CHAINS_LONG = 300   # of each kind in the long mode, if nobody says otherwise

DESCRIPTION = """\
Runs one scenario (press, escalation, deeds, end, stop) against the real daemon, broker, disk and endpoints. In each run
the daemon dies at its k-th write, fsync, send, open or rename, or that call fails; it is started again, the scenario goes
on, and what buttons, people and endpoints were promised is compared with the journal."""
MODES = """\
modes: kill   SIGKILL instead of the call     half  … after half of what it writes      after  … after the call
       late   … when the call has hung 80 ms while the other threads went on
       EIO ENOSPC EINTR EAGAIN ECONNRESET     the call fails so, where such a call can  short  it writes only a part
       chain  killed again and again in one run       mixed  the same, with calls that fail"""


def arguments():
    parser = argparse.ArgumentParser("tests/syscalls/run", description=DESCRIPTION, epilog=MODES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="every k of every mode, and many chains; without it a sample")
    parser.add_argument("--mode", choices=[*KILLS, *ERRORS, *CHAINS], action="append",
                        help="only this mode; may be given several times")
    parser.add_argument("--k", type=int, help="one run, hit at this call (a chain: with this seed), told in detail")
    parser.add_argument("--times", type=int, default=1, help="how many calls in a row fail (default 1)")
    parser.add_argument("--chains", type=int, default=CHAINS_LONG, help=f"chains of each kind in the long mode (default {CHAINS_LONG})")
    parser.add_argument("--seed", type=int, default=1, help="of the sample and of the chains (default 1)")
    parser.add_argument("--jobs", type=int, default=8, help="installations side by side; they mostly wait (default 8)")
    parser.add_argument("--seconds", type=float, help="begin no run after this time")
    parser.add_argument("--state", type=Path, help="a file: go on where the run that wrote it ended, and add to its figures")
    parser.add_argument("--keep", type=Path, help="folder for what failed (default: a new one under the temporary folder)")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    chosen = parser.parse_args()
    if chosen.k is not None and (chosen.k < 1 or len(chosen.mode or ["kill"]) > 1):
        parser.error("--k is a number from 1, for one --mode")
    return chosen


def chain(mode, seed, calls):
    """The faults of the lives of one run."""
    chance = random.Random(f"{mode}-{seed}")
    return [Fault(round(calls ** chance.uniform(0.3, 1)), chance.choice(CHAINS[mode]), chance.randint(1, CALLS_AT_ONCE))
            for _ in range(LIVES)]


def plan(chosen, calls):
    """Every run to be made: (mode, k or seed, its faults), in an order that depends on nothing but the arguments."""
    modes = chosen.mode or list(SAMPLE)
    if chosen.k is not None:
        numbers = {(chosen.mode or ["kill"])[0]: [chosen.k]}
    elif chosen.long:
        numbers = {mode: range(chosen.seed, chosen.seed + chosen.chains) if mode in CHAINS else range(1, calls[mode] + 1)
                   for mode in modes}
    else:
        chance = random.Random(chosen.seed)
        numbers = {mode: [chance.randint(1, calls.get(mode, 1 << 30)) for _ in range(SAMPLE[mode])] for mode in modes}
    for mode, ks in numbers.items():
        for k in ks:
            yield mode, k, chain(mode, k, calls["kill"]) if mode in CHAINS else [Fault(k, mode, chosen.times)]


class Runner:
    """Lanes that take runs until there are none, or the time is over."""

    def __init__(self, chosen, folder, ledger):
        self.chosen, self.folder, self.ledger = chosen, folder, ledger
        self.until = time.monotonic() + (chosen.seconds or 1e9)
        self.lock, self.tasks, self.broken = threading.Lock(), iter(()), None
        self.lanes = [Lane(folder / f"lane-{number}", number) for number in range(chosen.jobs)]

    def run_all(self, tasks):
        """True: all of them were begun."""
        self.tasks, self.is_all = iter(tasks), False
        threads = [threading.Thread(target=self._work, args=(lane,)) for lane in self.lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(5)
                if not self.chosen.k:
                    self.ledger.tell_progress()
        if self.broken:
            raise self.broken
        return self.is_all

    def _next(self):
        with self.lock:
            if self.broken or time.monotonic() > self.until:
                return None
            task = next(self.tasks, None)
            self.is_all = task is None
            if task and task[0]:
                self.ledger.begun += 1
            return task

    def _work(self, lane):
        try:
            while task := self._next():
                self._run(lane, *task)
        except BaseException as error:  # the harness itself: nothing more is begun
            self.broken = self.broken or error
        finally:
            lane.end()

    def _run(self, lane, mode, k, faults):
        problem = None
        try:
            lane.begin(*faults)
            check.check(lane, story.tell(lane))
        except (Violation, AssertionError) as violation:
            problem = str(violation)
        lane.end()
        if problem:
            problem = check.broken_promise(lane) or problem
        if mode:
            self.ledger.add(lane, mode, k, problem)
        elif problem:
            raise Violation(f"without any fault: {problem}")
        else:
            self.calls[k] = lane.lives[0].calls

    def count_calls(self, modes):
        """How many calls the scenario has that count in each mode, without a fault; the threads' turns make it differ a
        little from run to run."""
        self.calls = {}
        self.run_all((None, mode, [Fault(0, mode)]) for mode in modes)
        return self.calls

    def close(self):
        for lane in self.lanes:
            lane.close()


def main():
    chosen = arguments()
    if not FAULT.exists():
        print("tests/syscalls: skipped: fault.so is for x86-64 Linux only")
        return 77
    with tempfile.TemporaryDirectory(prefix="tocsin-syscalls-") as folder:
        keep = chosen.keep or Path(tempfile.gettempdir()) / f"tocsin-syscalls-failed-{time.strftime('%H%M%S')}"
        ledger = Ledger(keep, chosen.state)
        runner = Runner(chosen, Path(folder), ledger)
        try:
            ways = [mode for mode in chosen.mode or SAMPLE if mode not in CHAINS]
            if not ledger.calls:
                ledger.calls = runner.count_calls(dict.fromkeys(["kill", *ways]))
            tasks = list(plan(chosen, ledger.calls))
            ledger.planned = len(tasks)
            ledger.is_whole = runner.run_all(tasks[ledger.begun:])
        finally:
            runner.close()
    ledger.save()
    if chosen.k:
        ledger.tell_run(runner)
    ledger.tell_table()
    if chosen.json:
        print(json.dumps(ledger.result()), flush=True)
    return 1 if ledger.violations or not ledger.runs else 0


if __name__ == "__main__":
    sys.exit(main())
