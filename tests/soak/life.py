"""An installation that lives as one does: heartbeats, a press now and then, a desk whose feed breaks; and what it costs."""
import json
import os
import sys
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import requests

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "scenario"))
import house  # noqa: E402
from house import House, loopback  # noqa: E402

FLEET = "fleet"          # a user that may send every device's heartbeat: 200 connections would be 200 threads here
HEARTBEAT_S = 10
SILENT_AFTER_S = 60
ROOMS = 5                # of a school; each press is of the next school, so that it opens an alarm of its own
FEED_S = 30              # the reader hangs up after so long, and comes back
REAL_EVERY = 5           # every fifth press is a real alarm, followed to its end; the others are tests
PATIENCE_S = 30
FILL_PRESSES = 4000      # about 4 MB of journal


class Broker(loopback.Broker):
    def _write_files(self):
        super()._write_files()
        with open(self.folder / "access", "a", encoding="utf-8") as access:
            access.write(f"user {FLEET}\ntopic write tocsin/v1/+/+/heartbeat\n")


class Life:
    def __init__(self, folder, devices, press_every_s):
        sites = [f"school-{i}" for i in range(1, max(2, devices // ROOMS + 1))]
        self.names = [f"{site}/room-{i}" for site in sites for i in range(1, ROOMS + 1)]
        self.press_every_s = press_every_s
        self.house = House(folder, adjust=self._adjust, start=False, sites=sites,
                           devices=[f"room-{i}" for i in range(1, ROOMS + 1)])
        passwords = {FLEET: "fleet", **self.house.broker.passwords}
        self.house.broker = Broker(self.house.folder / "broker", passwords)
        self.house.start()
        self.over = threading.Event()
        self.presses = {"test": 0, "real": 0}
        self.pressed = 0  # those that have a receipt; with what fill() pressed
        self.heartbeats = self.reconnects = self.feed_events = 0
        self.problems = []
        self.receipt_ms, self.endpoint_ms = [], []  # (seconds, ms)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._beat, self._read_feed)]
        self.buttons = [self.house.button(f"{site}/room-1") for site in sites]

    def _adjust(self, configuration):
        """As in a school: endpoints are probed now and then, silence is a trouble, tests are told and close soon."""
        configuration["daemon"] |= {"log_level": "warning", "test_close_s": 30}
        configuration["broker"]["loopback_s"] = 5
        for endpoint in configuration["endpoints"]:
            endpoint |= {"probe_s": 10, "tests": endpoint["id"] != "guard"}
        for step in configuration["plans"][0]["steps"]:
            step["answer_timeout_s"] = 600
        for device in (device for site in configuration["sites"] for device in site["devices"]):
            device["silent_after_s"] = SILENT_AFTER_S

    def start(self):
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)

    def problem(self, text):
        self.problems.append(text)
        print(f"PROBLEM: {text}", flush=True)

    # ---- devices
    def _beat(self):
        client = mqtt.Client("fleet")
        client.username_pw_set(FLEET, "fleet")
        client.connect("127.0.0.1", self.house.broker.port)
        client.loop_start()
        turn, per_second = 0, max(1, len(self.names) // HEARTBEAT_S)
        while not self.over.wait(per_second / len(self.names) * HEARTBEAT_S):
            for _ in range(per_second):
                name = self.names[turn % len(self.names)]
                client.publish(f"tocsin/v1/{name}/heartbeat", b'{"battery":87}', 0)
                turn += 1
        self.heartbeats = turn
        client.loop_stop()
        client.disconnect()

    # ---- a desk
    def _read_feed(self):
        last = 0
        while not self.over.is_set():
            try:
                last = self._read_for_a_while(last)
                self.reconnects += 1
            except requests.RequestException as error:
                if not self.over.is_set():
                    self.problem(f"the feed broke: {error}")
                    self.over.wait(1)

    def _read_for_a_while(self, last):
        headers = {"Authorization": f"Bearer {self.house.token('admin')}", "Last-Event-ID": str(last)}
        until = time.monotonic() + FEED_S
        with requests.get(self.house.daemon.url + "/api/v1/feed", headers=headers, stream=True, timeout=25) as answer:
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"data:"):
                    seq = json.loads(line[5:]).get("seq") or 0
                    if seq and last and seq != last + 1:
                        self.problem(f"after event {last} the feed told {seq}")
                    last = seq or last
                    self.feed_events += bool(seq)
                if time.monotonic() > until or self.over.is_set():
                    return last
        return last

    # ---- presses
    def press(self, number, at_s):
        """One press to its end. at_s: when, in the time of the series."""
        real = number % REAL_EVERY == REAL_EVERY - 1
        self.presses["real" if real else "test"] += 1
        button = self.buttons[number % len(self.buttons)]
        press = button.press(kind="panic", **({} if real else {"test": True}))
        try:
            receipt = press.receipt("recorded", PATIENCE_S)
            self.pressed += 1
            tellings = [endpoint.told("alarm.opened", press, PATIENCE_S) for endpoint in (self.house.police, self.house.bureau)]
            self.receipt_ms.append((at_s, (receipt["heard_at"] - press.at) * 1000))
            self.endpoint_ms.append((at_s, max(telling.at_ms for telling in tellings) - press.at_ms))
            if real:
                self._answer(press)
        except (AssertionError, requests.RequestException, KeyError) as error:
            self.problem(f"press {number}: {error}")
        self._forget()

    def _answer(self, press):
        press.receipt("delivered", PATIENCE_S)
        for deed, stage in (("acknowledge", "acknowledged"), ("coming", "coming"), ("on-scene", "on_scene")):
            answer = self.house.deed(press, deed)
            if answer.status_code != 200:
                raise AssertionError(f"{deed}: {answer.status_code} {answer.text}")
            press.receipt(stage, PATIENCE_S)
        self.house.close_alarm(press)
        press.receipt("closed", PATIENCE_S)
        for endpoint in (self.house.police, self.house.bureau):
            endpoint.told("alarm.closed", press, PATIENCE_S)

    def _forget(self):
        """What this side remembers does not grow either: the last presses are enough."""
        with self.house.changed:
            for heard in [endpoint.tellings for endpoint in self.house.endpoints] + \
                         [list_ for button in self.buttons for list_ in (button.receipts, button.states)] + \
                         [self.house.feed.events]:
                del heard[:-500]

    # ---- what fills once
    def fill(self):
        """Caches that have a limit are full before anything is measured: the feed's last 1,024 events (daemon/io/api_internal.h,
        API_RECENT) and SQLite's pages, 2 MB for each of three connections."""
        for turn in range(FILL_PRESSES // len(self.buttons)):
            presses = [button.press(kind="panic", test=True) for button in self.buttons]
            for press in presses:
                press.receipt("recorded", PATIENCE_S)
                self.pressed += 1
            self._forget()
        for _ in range(2):  # by both readers; in small pieces, which leave no large holes for a leak to hide in
            for start in range(1, int(metric(self.house, "journal_events")), 100):
                self.house.ask("GET", "/api/v1/journal", "admin", params={"from": start, "limit": 100})
        self.house.wait_for(lambda: not self.house.api("alarms", "admin")["alarms"], "the tests are closed", 4 * PATIENCE_S)

    # ---- the record
    def look_at_record(self):
        """That each press was received and told was seen when it was pressed; what is left is that the record is whole.
        A problem, not an exception: the figures are told in any case."""
        try:
            lines = self.house.journal()
            assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1)), "the journal has a gap"
            pressed = sum(line["type"] == "press_received" for line in lines)
            assert pressed == self.pressed, f"{self.pressed} presses have a receipt, {pressed} are in the journal"
            self.house.tool("journal", "verify", str(self.house.export()), connected=False)
        except AssertionError as error:
            self.problem(f"at the end: {error}")

    # ---- what it costs
    def sample(self):
        """What is looked at, in the units of judge.BOUNDS."""
        process = Path(f"/proc/{self.house.daemon.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        state = self.house.state_dir
        events = metric(self.house, "journal_events") or 1
        return {"rss": int(status["VmRSS"].split()[0]), "descriptors": len(os.listdir(process / "fd")),
                "threads": int(status["Threads"]), "wal": size_of(state / "journal.db-wal") / 1024,
                "db_per_event": size_of(state / "journal.db") / events}

    def cpu_s(self):
        """Of the daemon, and of this process."""
        fields = Path(f"/proc/{self.house.daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), time.process_time()


def size_of(file):
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def metric(house_, name):
    answer = house_.ask("GET", "/metrics", "admin")
    for line in answer.text.splitlines():
        if line.startswith(f"tocsin_{name} "):
            return float(line.split()[1])
    return None
