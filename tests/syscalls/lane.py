"""One installation that lives through many runs: its broker, endpoints and buttons stay, its daemon is killed and started.

    lane = Lane(folder, number)
    lane.begin(Fault(120, "kill"))    # an empty journal, and a daemon that dies at its 120th call
    lane.wait(lane.ready, "…")        # waits; meanwhile a daemon that has ended is started again, without a fault
    lane.lives                        # what became of each start
"""
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
import requests

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "scenario"))
import house  # noqa: E402
from house import BUILD, IS_SANITIZED, House, loopback  # noqa: E402

PATIENCE_S = 30      # of our own turning: a machine that stands still costs none of it
TURN_S = 0.02        # between looks at what came to us …
ASK_S = 0.05         # … and between questions to the daemon
STOP_S = 5 if not IS_SANITIZED else 30  # what the daemon promises for a stop, leaks are looked for after it …
STOP_FAULTY_S = 3 * STOP_S  # … and what it gets while calls fail
PAGE_BYTES = 4096    # struct page of fault.c
FAULT = BUILD / "tests" / "syscalls" / "fault.so"
RESTART_IT = "it records again once no alarm is open"  # what the trouble of a daemon without a record says; an alarm is open, so it waits


class Violation(Exception):
    """A promise is broken; the text says which."""


@dataclass
class Fault:
    """At its k-th call (0: never) the daemon dies (kill, half, after, late), or `times` calls fail (EIO, …): fault.c."""
    k: int = 0
    way: str = "kill"
    times: int = 1

    @property
    def kills(self):
        return self.way in ("kill", "half", "after", "late")


@dataclass
class Life:
    """One start of the daemon."""
    fault: Fault
    log_from: int
    calls: int = 0
    hits: int = 0
    what: str = ""       # the call that was hit: "pwrite64 7 …/journal.db-wal"
    status: int = None   # how it ended


@dataclass
class Run:
    """What a run was promised."""
    name: str
    deeds: list = field(default_factory=list)  # (type, seq) of each 200
    garbage: list = field(default_factory=list)  # what buttons heard that is no JSON
    operator_restarts: int = 0


class Patience:
    """Time as far as we turned in it: a process that is stopped for minutes has lost none."""

    def __init__(self, limit_s):
        self.left_s, self.last = limit_s, time.monotonic()

    def over(self):
        now = time.monotonic()
        self.left_s -= min(now - self.last, 10 * TURN_S)
        self.last = now
        return self.left_s <= 0


class Lane(House):
    def __init__(self, folder, number):
        self.url = f"http://127.{64 + os.getpid() % 64}.{os.getpid() // 64 % 256}.{number + 1}:8080"
        super().__init__(folder, adjust=self._adjust, start=False, devices=("room-101", "gate"))
        self.daemon.url = self.url
        self.page_file = self.folder / "fault.page"
        self.run_count, self.run, self.process = 0, Run("/tocsin"), None
        self.lives, self.faults = [], iter(())
        for endpoint in self.endpoints:
            endpoint.behaviour = self._receive
        self.broker.start()
        self.write_configuration()
        self.configuration_text = (self.folder / "tocsin.yaml").read_text()
        self.room, self.gate = self.button("school-1/room-101"), self.button("school-1/gate")
        for button in (self.room, self.gate):
            button.client.on_message = self._hear

    def _adjust(self, configuration):
        """Short times; a device that relies on its PUBACK; an endpoint that hears of troubles."""
        configuration["daemon"] |= {"http_listen": self.url.removeprefix("http://"), "log_level": "info"}
        configuration["broker"]["loopback_s"] = 5
        for endpoint in configuration["endpoints"]:
            endpoint |= {"probe_s": 5, "troubles": endpoint["id"] == "bureau"}
        first, second = configuration["plans"][0]["steps"]
        first["answer_timeout_s"], second["answer_timeout_s"] = 1, 600
        configuration["sites"][0]["devices"][1]["puback"] = "after_commit"

    def _receive(self, telling, connection):
        if len(telling.raw) == int(telling.headers["Content-Length"]):  # its sender was not killed in the middle of it
            telling.run = connection.path
        return house.Endpoint.receiving(telling, connection)

    def _hear(self, client, data, message):
        try:
            (self.room if client is self.room.client else self.gate)._heard(client, data, message)
        except ValueError:
            self.run.garbage.append((message.topic, message.payload))

    # ---- a run
    def begin(self, *faults):
        """Nothing is left of the run before. The lives to come have these faults, later ones none."""
        self.end()
        self.run_count += 1
        self.run = Run(f"/run-{self.run_count}")
        shutil.rmtree(self.state_dir)
        self.state_dir.mkdir(mode=0o700)
        self.daemon.log_file.unlink(missing_ok=True)
        self._forget_session()
        with self.changed:
            for heard in [endpoint.tellings for endpoint in self.endpoints] + [self.room.receipts, self.gate.receipts]:
                heard.clear()
            del self.room.states[:-1]
        for button in (self.room, self.gate):
            button.epoch, button.n = os.urandom(4).hex(), 0
        (self.folder / "tocsin.yaml").write_text(self.configuration_text.replace("/tocsin\n", self.run.name + "\n"))
        self.lives, self.faults = [], iter(faults)
        self.start_again()

    def _forget_session(self):
        """The broker keeps nothing for the daemon."""
        client = mqtt.Client(loopback.DAEMON_USER, clean_session=True)
        client.username_pw_set(loopback.DAEMON_USER, self.broker.passwords[loopback.DAEMON_USER])
        client.connect("127.0.0.1", self.broker.port)
        patience = Patience(PATIENCE_S)
        while not client.is_connected():
            client.loop(TURN_S)
            if patience.over():
                raise RuntimeError("the broker does not answer")
        client.disconnect()

    def start_again(self):
        fault = next(self.faults, Fault())
        log = self.daemon.log_file
        self.lives.append(Life(fault, log.stat().st_size if log.exists() else 0))
        self.page_file.write_bytes(bytes(PAGE_BYTES))
        environment = {**os.environ, "LD_PRELOAD": str(FAULT),
                       "TOCSIN_FAULT": f"{self.page_file}:{fault.k}:{fault.way}:{fault.times}"}
        with open(log, "ab") as output:
            self.process = subprocess.Popen([BUILD / "daemon" / "tocsind", "--config", self.folder / "tocsin.yaml"],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)

    def _look_at_page(self):
        page, life = self.page_file.read_bytes(), self.lives[-1]
        life.calls, life.hits = struct.unpack_from("QQ", page)
        life.what = page[16:].split(b"\0")[0].decode(errors="replace")

    def _life_ended(self):
        """Reaps it. A daemon may die of our kill, may give up when calls fail, and need not understand SIGTERM before it is
        up; anything else is a defect."""
        self._look_at_page()
        life = self.lives[-1]
        life.status, self.process = self.process.returncode, None
        killed = life.fault.kills and life.hits and life.status == -signal.SIGKILL
        gave_up = not life.fault.kills and life.hits and life.status == 1
        not_yet_up = life.status == -signal.SIGTERM and "HTTP on port" not in self.life_log()
        if not (killed or gave_up or not_yet_up):
            raise Violation(f"the daemon ended with status {life.status}: {self.life_log()[-600:]}")

    def keep_running(self):
        """As the service manager does."""
        if self.process.poll() is not None:
            self._life_ended()
            self.start_again()

    def life_log(self):
        with open(self.daemon.log_file, "rb") as log:
            log.seek(self.lives[-1].log_from)
            return log.read().decode(errors="replace")

    def wait(self, holds, what, limit_s=PATIENCE_S, turn_s=TURN_S):
        patience, looked_s = Patience(limit_s), limit_s
        while True:
            self.keep_running()
            value = holds()
            if value:
                return value
            if patience.over():
                raise Violation(f"stuck: waited {limit_s} s in vain until {what}; the log ends: {self.life_log()[-1500:]}")
            if patience.left_s < looked_s - 1:
                looked_s = patience.left_s
                self._look_after()
            with self.changed:
                self.changed.wait(turn_s)

    def ask_until(self, holds, what):
        return self.wait(holds, what, turn_s=ASK_S)

    def _look_after(self):
        """As an operator does who reads on every screen: "journal: … restart the daemon then"."""
        self._look_at_page()
        if not self.lives[-1].hits or self.lives[-1].fault.kills:
            return
        answer = self.try_ask("GET", "/api/v1/troubles", "admin")
        if answer is not None and RESTART_IT in answer.text:
            self.run.operator_restarts += 1
            self.stop_daemon()
            self.start_again()

    def stop_daemon(self):
        """A stop as the service manager makes it. True: it ended well."""
        self.process.terminate()
        faulty = self.lives[-1].fault.k and not self.lives[-1].fault.kills
        limit_s = STOP_FAULTY_S if faulty else STOP_S
        patience = Patience(limit_s)
        while self.process.poll() is None:
            time.sleep(TURN_S)
            if patience.over():
                raise Violation(f"it did not stop within {limit_s} s: {self.life_log()[-600:]}")
        if self.process.returncode == 0:
            self._look_at_page()
            self.lives[-1].status, self.process = 0, None
            return True
        self._life_ended()
        return False

    def end(self):
        if self.process:
            self._look_at_page()
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        self.closing.set()
        self.end()
        for button in self.buttons:
            button.close()
        for endpoint in self.endpoints:
            endpoint.down()
        self.broker.kill()

    # ---- questions
    def try_ask(self, method, path, account="desk-1", **options):
        """The answer, or None when there is none."""
        try:
            return self.ask(method, path, account, **options)
        except requests.RequestException:
            return None

    def ready(self):
        answer = self.try_ask("GET", "/readyz", None)
        return answer is not None and answer.status_code == 200

    def alarm_now(self, alarm):
        answer = self.try_ask("GET", f"/api/v1/alarms/{alarm}")
        return answer.json() if answer is not None and answer.status_code == 200 else None

    def tellings(self, endpoint):
        """Those of this run."""
        with self.changed:
            return [telling for telling in endpoint.tellings if getattr(telling, "run", None) == self.run.name]

    def receipts(self, button):
        with self.changed:
            return [receipt for receipt in button.receipts if receipt.get("epoch") == button.epoch]
