"""What a run of the harness has found: figures that add up over several commands, and the folders of what failed."""
import json
import shutil
import threading
import time

COUNTED = ("begun", "runs", "kills", "failed_calls", "not_reached", "restarts", "operator_restarts", "violations", "seconds")


class Ledger:
    def __init__(self, keep, state):
        self.keep, self.state, self.lock = keep, state, threading.Lock()
        self.started, self.planned, self.is_whole = time.monotonic(), 0, False
        known = json.loads(state.read_text()) if state and state.exists() else {}
        for name in COUNTED:
            setattr(self, name, known.get(name, 0))
        self.calls = known.get("calls", {})
        self.first_violation = known.get("first_violation")
        self.by_call = known.get("by_call", {})
        self.by_mode = known.get("by_mode", {})
        self.last_lives = []

    def add(self, lane, mode, k, problem):
        with self.lock:
            self.runs += 1
            self.operator_restarts += lane.run.operator_restarts
            self.restarts += len(lane.lives) - 1
            row = self.by_mode.setdefault(mode, {"runs": 0, "kills": 0, "failed_calls": 0, "violations": 0})
            row["runs"] += 1
            hit = [life for life in lane.lives if life.hits]
            self.not_reached += not hit
            for life in hit:
                kind = "kills" if life.fault.kills else "failed_calls"
                count = 1 if life.fault.kills else life.hits
                setattr(self, kind, getattr(self, kind) + count)
                row[kind] += count
                name, _, what = life.what.partition(" ")
                places = self.by_call.setdefault(name, {})
                place = place_of(lane, what)
                places[place] = places.get(place, 0) + 1
            self.last_lives = lane.lives
            if problem:
                row["violations"] += 1
                self._violated(lane, mode, k, hit, problem)

    def _violated(self, lane, mode, k, hit, problem):
        self.violations += 1
        folder = self.keep / f"{mode}-{k}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(lane.folder, folder, ignore=shutil.ignore_patterns("*.secret", "*.token"))
        with open(folder / "story.txt", "w") as story:
            print(problem, file=story)
            for life in lane.lives:
                print(life, file=story)
            for endpoint in lane.endpoints:
                for telling in lane.tellings(endpoint):
                    print(endpoint.name, telling.at_ms, telling.id, telling.raw.decode(), file=story)
            for button in (lane.room, lane.gate):
                for receipt in lane.receipts(button):
                    print(button.name, receipt, file=story)
        print(f"violation: {mode} k={k} at {[life.what for life in hit]}: {problem.splitlines()[0][:400]}\n  kept: {folder}", flush=True)
        self.first_violation = self.first_violation or {
            "k": k, "mode": mode, "call": hit[0].what if hit else None, "reason": problem[:1000], "folder": str(folder)}

    def save(self):
        self.seconds = round(self.seconds + time.monotonic() - self.started, 1)
        if self.state:
            self.state.write_text(json.dumps(self.result() | {"begun": self.begun, "calls": self.calls}))

    def tell_progress(self):
        if not self.planned:
            return print("counting the calls of the scenario", flush=True)
        print(f"{self.runs} runs of {self.planned}, {self.kills} kills, {self.failed_calls} failed calls, "
              f"{self.violations} violations", flush=True)

    def tell_run(self, runner):
        for life in self.last_lives:
            print(f"  {life.fault.way} at {life.fault.k}: {life.calls} calls, hit {life.hits} times: {life.what or '-'}; "
                  f"ended with {life.status}")

    def tell_table(self):
        for call, places in sorted(self.by_call.items()):
            print(f"  {call:10}", ", ".join(f"{place} {count}" for place, count in sorted(places.items(), key=lambda p: -p[1])))
        for mode, row in self.by_mode.items():
            print(f"  {mode:10}", ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in row.items()),
                  f"of {self.calls[mode]} calls" if mode in self.calls else "")
        print(f"{self.runs} runs, {self.kills} kills, {self.failed_calls} failed calls, {self.violations} violations")

    def result(self):
        return {"calls_in_scenario": self.calls, "whole": self.is_whole, "first_violation": self.first_violation,
                **{name: getattr(self, name) for name in COUNTED if name != "begun"},
                "by_mode": self.by_mode, "by_call": self.by_call}


def place_of(lane, what):
    """What a call was about, in a word. `what`: "7 /…/journal.db-wal", "9 peer:1883", "-1 path"."""
    number, _, target = what.partition(" ")
    ports = {f"peer:{lane.broker.port}": "broker"} | {f"peer:{endpoint.port}": endpoint.name for endpoint in lane.endpoints}
    if target in ports:
        return ports[target]
    if target.startswith("peer:"):
        return "api"
    if target.startswith(("anon_inode", "pipe:")):
        return "wake-up"
    if target.startswith("socket:"):
        return "socket"
    if target.startswith(str(lane.folder)):
        name = target.rpartition("/")[2]
        return "secrets" if name.endswith((".secret", ".password", ".key")) else name
    return target if target.startswith("/dev") else "/".join(target.split("/")[:2]) or "nothing"
