"""The real daemon over a whole alarm, with the k-th allocation of its first life failing.

The installation, the story and what must hold afterwards are those of tests/syscalls: a press, a second one from a device
that relies on its PUBACK, a deadline that passes, a note, acknowledged, coming, closed, stopped. Allowed is: to go on
rightly, or to end quickly with a sentence; it is then started again, as the service manager does.
"""
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "syscalls"))
import check  # noqa: E402
import story  # noqa: E402
from lane import BUILD, Fault, Lane, Life, Violation  # noqa: E402

import programs  # noqa: E402

WAY = "memory"  # of tests/syscalls, which does not know it: nothing is killed there
ACCOUNT_BYTES = 16 + programs.FRAMES * programs.FRAME_BYTES


class MemoryLane(Lane):
    def start_again(self):
        fault = next(self.faults, Fault(0, WAY))
        log = self.daemon.log_file
        self.lives.append(Life(fault, log.stat().st_size if log.exists() else 0))
        self.page_file.write_bytes(bytes(ACCOUNT_BYTES))
        last = fault.k + fault.times - 1 if fault.k else 0
        environment = {**os.environ, **programs.SANITIZER_OPTIONS, "LD_PRELOAD": str(BUILD / "tests/torture/libkth.so"),
                       "TOCSIN_KTH": f"{self.page_file} {fault.k} {last}"}
        with open(log, "ab") as output:
            self.process = subprocess.Popen([BUILD / "daemon" / "tocsind", "--config", self.folder / "tocsin.yaml"],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)

    def _look_at_page(self):
        life = self.lives[-1]
        life.calls, life.hits, life.what = programs.read_account(self.page_file)

    def _life_ended(self):
        self._look_at_page()
        life, log = self.lives[-1], self.life_log()
        life.status, self.process = self.process.returncode, None
        aborted = life.status == -signal.SIGABRT and programs.is_orderly(log, life.what)
        gave_up = life.status == 1 and "memory" in log.lower()
        if not life.hits or not (aborted or gave_up):
            raise Violation(f"the daemon ended with status {life.status}: {log[-1500:]}")

    def _look_after(self):
        if "running WITHOUT A RECORD" in self.life_log():
            raise Violation(f"for want of memory it runs without a record: {self.life_log()[-600:]}")


def run(lane, k, times):
    """None, or (kind, text); the first life is lane.lives[0]."""
    verdict = None
    try:
        lane.begin(Fault(k, WAY, times))
        alarm = story.tell(lane)
        check.check(lane, alarm)
    except (Violation, AssertionError) as violation:
        kind = next((kind for word, kind in KINDS.items() if str(violation).startswith(word)), "wrong")
        verdict = kind, str(violation)
    lane.end()
    for sign in programs.SIGNS:
        log = lane.daemon.log()
        if sign in log:
            verdict = "finding", log[log.index(sign):][:1500]
    return verdict


KINDS = {"stuck": "hang", "it did not stop": "hang", "the daemon ended": "crash", "for want of memory": "excuse"}
