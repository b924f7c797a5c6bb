"""The story deploy/demo tells: one alarm, from the button to the proof. Every line is a fact that one of the parts reported:
the button's output, the daemon's live feed, what the endpoints wrote down, the journal's verification."""
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import datetime
from pathlib import Path

import yaml

import loopback
from loopback import ROOT, Part

BUILD = Path(os.environ.get("TOCSIN_BUILD", ROOT / "build" / "demo"))
TOOL, BUTTON = BUILD / "clients" / "cli" / "tocsin", BUILD / "clients" / "button" / "tocsin-button"
PAGE = BUILD / "clients" / "desk" / "page"  # where the build puts the desk's page
DESK_ACCOUNT = "officer"
ANSWER_S = 3      # how long a step of the demo's plan may take to answer
PATIENCE_S = 20   # what has not happened by then did not happen
COLOUR = sys.stdout.isatty()


class StoryFailed(Exception):
    pass


def run_tool(*words, environment=None):
    done = subprocess.run([str(TOOL), *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise StoryFailed(f"tocsin {' '.join(map(str, words))}: {done.stderr or done.stdout}")
    return done.stdout


class Facts:
    """What the parts report, in the order in which it is heard: dictionaries with "source" and "at_ms"."""

    def __init__(self):
        self.seen, self.changed = [], threading.Condition()

    def add(self, source, fact):
        with self.changed:
            self.seen.append({"at_ms": time.time() * 1000, **fact, "source": source})
            self.changed.notify_all()

    def find(self, source, **members):
        with self.changed:
            return [fact for fact in self.seen if fact["source"] == source
                    and all(fact.get(name) == value for name, value in members.items())]

    def wait(self, what, source, timeout_s=PATIENCE_S, **members):
        with self.changed:
            if not self.changed.wait_for(lambda: self.find(source, **members), timeout_s):
                raise StoryFailed(f"this did not happen within {timeout_s} s: {what}")
        return self.find(source, **members)[0]

    def read_lines(self, source, stream):
        """Adds each JSON line of a stream, in a thread of its own."""
        def read():
            for line in stream:
                try:
                    self.add(source, json.loads(line))
                except ValueError:
                    pass
        threading.Thread(target=read, daemon=True).start()

    def follow(self, daemon, token):
        """Adds each event of the daemon's live feed, from the first."""
        def read():
            request = urllib.request.Request(daemon.url + "/api/v1/feed",
                                             headers={"Authorization": f"Bearer {token}", "Last-Event-ID": "0"})
            try:
                with urllib.request.urlopen(request, timeout=25) as feed:
                    for line in feed:
                        if line.startswith(b"data:"):
                            self.add("feed", json.loads(line[5:]))
            except OSError:
                self.add("feed", {"type": "feed_ended"})
        threading.Thread(target=read, daemon=True).start()


class Installation:
    """The example of conf/, with secrets of its own, in a folder that is gone afterwards."""

    def __init__(self, folder):
        self.folder = folder
        self.facts = Facts()
        self.parts = []
        self.configuration = yaml.safe_load((ROOT / "conf" / "tocsin.yaml").read_text())
        self.sites = list(self.configuration.get("sites") or [])
        for file in sorted((ROOT / "conf" / "sites.d").glob("*.yaml")):
            self.sites += yaml.safe_load(file.read_text())["sites"]
        self.site = self.sites[0]
        self.device = next(device for device in self.site["devices"] if device.get("zone") and "kind" not in device)
        self.zone = next(zone["name"] for zone in self.site["zones"] if zone["id"] == self.device["zone"])
        self.token_file = folder / "desk.token"
        self.state_dir = folder / "state"
        self.button_options = []

    def private(self, name, text):
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return str(file)

    def start(self):
        devices = {f"{site['id']}/{device['id']}": secrets.token_urlsafe(18) for site in self.sites for device in site["devices"]}
        self.broker = loopback.Broker(self.folder / "broker", devices)
        self.begin(self.broker)
        for endpoint in self.configuration["endpoints"]:
            self.begin_endpoint(endpoint)
        self.write_configuration()
        run_tool("check-config", self.folder / "tocsin.yaml")
        self.daemon = loopback.Daemon(self.folder, self.folder / "tocsin.yaml", self.state_dir, BUILD)
        self.begin(self.daemon)
        self.facts.follow(self.daemon, self.token)

    def begin(self, part):
        self.parts.append(part)
        part.start()

    def begin_endpoint(self, endpoint):
        name = endpoint["id"]
        secret_file = self.folder / f"{name}.secret"
        run_tool("keygen", "webhook", secret_file)
        part = SampleEndpoint(self.folder, name, secret_file, self.facts, "escalated" if endpoint["role"] == "police" else "never")
        self.begin(part)
        for key in ("ca_file", "certificate_file", "key_file", "crl_file"):
            endpoint.pop(key, None)
        endpoint |= {"urls": [part.url], "secret_file": str(secret_file)}

    def write_configuration(self):
        """conf/tocsin.yaml, but for what is this machine's own: places, ports, secrets, and a plan in seconds."""
        self.state_dir.mkdir(mode=0o700)
        main = self.configuration
        key = self.folder / "journal.key"
        run_tool("keygen", "journal", key, "--name", main["daemon"]["name"])
        for name in ("http_tls_certificate_file", "http_tls_key_file"):
            main["daemon"].pop(name, None)
        main["daemon"] |= {"state_dir": str(self.state_dir), "http_listen": "127.0.0.1:0", "journal_key_file": str(key),
                           "http_desk_folder": str(PAGE)}
        main["broker"] = {"address": "127.0.0.1", "port": self.broker.port, **self.login(loopback.DAEMON_USER),
                          "supervision": self.login(loopback.SUPERVISION_USER),
                          "receipts": self.login(loopback.RECEIPTS_USER)}
        for plan in main["plans"]:
            for step in plan["steps"]:
                step["answer_timeout_s"] = ANSWER_S
        self.write_accounts(main)
        for site in self.sites:
            self.write_keys(site, {account["device"] for account in main["accounts"] if "device" in account})
        main["sites"] = self.sites
        (self.folder / "tocsin.yaml").write_text(yaml.safe_dump(main, allow_unicode=True, sort_keys=False))
        self.password = "-".join(secrets.token_hex(2) for _ in range(4))
        run_tool("account", "add", DESK_ACCOUNT, "--role", "duty", "--name", "Demo officer 示范值班警官", "--config",
                 self.folder / "tocsin.yaml", "--password-file", self.private("typed", self.password + "\n"))

    def login(self, user):
        return {"client_id": user, "username": user,
                "password_file": self.private(f"{user}.password", self.broker.passwords[user] + "\n")}

    def write_accounts(self, main):
        """One desk account of the demo's own; the example's accounts keep their hashes, to which nobody has a token."""
        token_hash = run_tool("keygen", "token", self.token_file).split()[-1]
        self.token = self.token_file.read_text().strip()
        main.setdefault("accounts", []).append(
            {"id": "demo-desk", "name": "Demo desk 示范值班台", "role": "police", "token_hashes": [token_hash]})

    def write_keys(self, site, pages):
        """Each device of the site signs its presses, but those as which an account presses through the desk's page."""
        if "keys_file" not in site:
            return
        keys = {device["id"]: run_tool("keygen", "device").strip() for device in site["devices"]
                if f"{site['id']}/{device['id']}" not in pages}
        site["keys_file"] = self.private(f"{site['id']}.keys", "".join(f"{name} {key}\n" for name, key in keys.items()))
        if site is self.site:
            self.button_options += ["--sign-key", self.private("button.key", keys[self.device["id"]] + "\n")]

    def tool(self, *words):
        return run_tool(*words, environment={"TOCSIN_URL": self.daemon.url, "TOCSIN_TOKEN_FILE": str(self.token_file)})

    def press(self):
        self.begin(Button(self))

    def plan(self):
        name = self.site.get("plan", "default")
        return next(plan for plan in self.configuration["plans"] if plan["id"] == name)

    def export(self):
        folder = self.folder / "export"
        run_tool("journal", "export", folder, "--journal", self.state_dir / "journal.db", "--key", self.folder / "journal.key.pub")
        return folder

    def stop(self):
        for part in reversed(self.parts):
            try:
                part.stop()
            except loopback.PartFailed as problem:
                print(problem, file=sys.stderr)


class SampleEndpoint(Part):
    def __init__(self, folder, name, secret_file, facts, acknowledge):
        super().__init__(name, folder)
        self.secret_file, self.facts, self.acknowledge, self.url = secret_file, facts, acknowledge, None

    def start(self):
        port_file = self.folder / f"{self.name}.port"
        self.run([ROOT / "deploy" / "sample-endpoint", "--name", self.name, "--json", "--port-file", port_file,
                  "--secret-file", self.secret_file, "--acknowledge", self.acknowledge], output=subprocess.PIPE)
        self.facts.read_lines(self.name, self.process.stdout)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.alive():
            try:
                self.url = f"http://127.0.0.1:{int(port_file.read_text())}/"
                return
            except (OSError, ValueError):
                time.sleep(0.01)
        self.fail("did not start")


class Button(Part):
    """The reference button, on the first device of the example that has a place."""

    def __init__(self, house):
        super().__init__("button", house.folder)
        self.house = house

    def command(self, *more):
        house, name = self.house, f"{self.house.site['id']}/{self.house.device['id']}"
        password_file = house.private("button.password", house.broker.passwords[name] + "\n")
        return [BUTTON, "--broker", f"127.0.0.1:{house.broker.port}", "--site", house.site["id"],
                "--device", house.device["id"], "--username", name, "--password-file", password_file,
                *house.button_options, *more]

    def start(self):
        self.run(self.command("--once", "--json"), output=subprocess.PIPE)
        self.house.facts.read_lines("button", self.process.stdout)


class Teller:
    """Prints the story and keeps its measures."""

    def __init__(self, house):
        self.house, self.facts, self.measures = house, house.facts, {}
        self.start_ms = None
        self.kept = []

    def line(self, at_ms, chinese, text):
        self.kept.append((at_ms, chinese, text))

    def print_lines(self):
        """What was kept, in the order in which it happened."""
        for line in sorted(self.kept):
            self.print_line(*line)
        self.kept.clear()

    def print_line(self, at_ms, chinese, text):
        stamp = f"{(at_ms - self.start_ms) / 1000:8.3f} s"
        words = (f"\033[2m{stamp}\033[0m", f"\033[1m{chinese}\033[0m") if COLOUR else (stamp, chinese)
        print(*words, text, sep="  ", flush=True)

    def since_press(self, at_ms):
        return round(at_ms - self.start_ms, 1)

    def tell(self):
        self.pressed()
        self.recorded()
        self.delivered()
        self.print_lines()
        for stage in (self.escalated, self.acknowledged, self.closed, self.verified):
            stage()
            self.print_lines()

    def pressed(self):
        house = self.house
        house.press()
        press = self.facts.wait("the button sends", "button", event="pressed")
        self.start_ms = press["pressed_ms"]
        self.identity = {"device": house.device["id"], "epoch": press["epoch"], "n": press["n"]}
        self.line(self.start_ms, "按下", f"pressed: {self.house.zone}, {house.site['name']} (button {house.device['id']})")

    def recorded(self):
        receipt = self.facts.wait("the button has its receipt", "button", event="receipt", stage="recorded")
        line = self.facts.wait("the journal has the press", "feed", type="press_received", alarm=receipt["alarm"], **self.identity)
        self.alarm = receipt["alarm"]
        self.measures["press_to_recorded_ms"] = self.since_press(receipt["at_ms"])
        self.line(receipt["at_ms"], "入账", f"recorded: entry {line['seq']} of the journal is on the disk; the button knows; alarm {self.alarm}")

    def delivered(self):
        delivered = {}
        for role, chinese in (("police", "公安"), ("bureau", "教育")):
            endpoint = next(one for one in self.house.configuration["endpoints"] if one["role"] == role)
            telling = self.facts.wait(f"{role} is told", endpoint["id"], event="alarm.opened", alarm=self.alarm)
            if not any({name: press[name] for name in self.identity} == self.identity for press in telling["presses"]):
                raise StoryFailed(f"{role} was told of another press")
            self.facts.wait(f"{role} received it", "feed", type="delivery_result", alarm=self.alarm, endpoint=endpoint["id"],
                            outcome="received")
            delivered[role] = self.since_press(telling["at_ms"])
            self.line(telling["at_ms"], chinese, f"delivered: {endpoint['name']} has it, its signature is good")
        self.measures["press_to_delivered_ms"] = delivered
        receipt = self.facts.wait("the button hears of it", "button", event="receipt", stage="delivered")
        self.line(receipt["at_ms"], "回执", "the button shows that somebody has it")

    def escalated(self):
        passed = self.facts.wait("the step's time passes", "feed", type="deadline_passed", alarm=self.alarm)
        police = next(one for one in self.house.configuration["endpoints"] if one["role"] == "police")
        self.line(moment_ms(passed), "无应", f"no answer: nobody acknowledged within {ANSWER_S} s")
        telling = self.facts.wait("the alarm is escalated", police["id"], event="alarm.escalated", alarm=self.alarm)
        self.measures["escalated_after_ms"] = self.since_press(telling["at_ms"])
        last = passed["step"] + 1 >= len(self.house.plan()["steps"])
        self.line(telling["at_ms"], "升级", "escalated: " + ("the plan has no further step, so everybody is told again" if last
                                                          else "the next step is told, and those before it again"))

    def acknowledged(self):
        event = self.facts.wait("a person takes it", "feed", type="acknowledged", alarm=self.alarm)
        self.facts.wait("the button hears of it", "button", event="receipt", stage="acknowledged")
        self.measures["acknowledged_ms"] = self.since_press(moment_ms(event))
        self.line(moment_ms(event), "签收", f"acknowledged: by {event['by']}, in the reply to the telling; the button knows")

    def closed(self):
        for deed, type, chinese, text in (("coming", "coming", "出警", "help is coming"),
                                          ("on-scene", "on_scene", "到场", "help is there")):
            self.house.tool(deed, self.alarm)
            event = self.facts.wait(text, "feed", type=type, alarm=self.alarm)
            self.line(moment_ms(event), chinese, f"{text}: tocsin {deed} {self.alarm[:6]}")
        self.house.tool("close", self.alarm, "--disposition", "accidental", "--note", "The demonstration's press. 演示。")
        event = self.facts.wait("the alarm is closed", "feed", type="closed", alarm=self.alarm)
        for role in ("police", "bureau"):
            endpoint = next(one for one in self.house.configuration["endpoints"] if one["role"] == role)
            self.facts.wait(f"{role} hears that it is over", endpoint["id"], event="alarm.closed", alarm=self.alarm)
        self.measures["closed_ms"] = self.since_press(moment_ms(event))
        self.line(moment_ms(event), "结案", f"closed: {event['by']} says it was {event['disposition']}; police and bureau know")

    def verified(self):
        folder = self.house.export()
        police = next(one for one in self.house.configuration["endpoints"] if one["role"] == "police")
        witness = self.facts.find(police["id"], event="alarm.opened", alarm=self.alarm)[0]["journal"]
        run_tool("journal", "verify", folder, "--key", self.house.folder / "journal.key.pub",
                 "--witness", f"{witness['size']}:{witness['root']}")
        count = len((folder / "journal.ndjson").read_bytes().splitlines())
        now_ms = time.time() * 1000
        self.line(now_ms, "验证", f"journal verified: {count} entries; unchanged since what the police were told with the alarm")
        self.measures |= {"verified": True, "total": self.since_press(now_ms)}


def moment_ms(event):
    return datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp() * 1000


def where_the_desk_is(house):
    """The page, and who may sign in there: an account of this run only."""
    if (PAGE / "index.html").exists():
        print(f"The desk: {house.daemon.url}/   account {DESK_ACCOUNT}   password {house.password}\n", flush=True)
    else:
        print("The desk's page was not built (it needs npm and node >= 18); everything else works.\n", flush=True)


def what_next(house):
    shell = f"export TOCSIN_URL={house.daemon.url} TOCSIN_TOKEN_FILE={house.token_file}"
    tool = os.path.relpath(TOOL, ROOT)
    button = " ".join(map(str, Button(house).command())).replace(str(ROOT) + "/", "")
    print(f"""
All of it stays up until Ctrl-C. Look at the desk's page above, and try, in another terminal in {ROOT}:

    {shell}
    {tool} watch                      what happens, as it happens
    {button}
                                      press it yourself (--help says how); then:
    {tool} alarms                     the open alarms; then show, ack, coming, close
    {tool} replay {house.teller.alarm[:6]} --speed 1   this story again
    {tool} show {house.teller.alarm[:6]}               all that is known about it
    {tool} simulate --config {house.folder}/tocsin.yaml --site {house.site["id"]} --device {house.device["id"]}
                                      what a press would set off, without one

Files: {house.folder} (configuration, logs, journal)
Where to go on: README.md; for administrators deploy/README.md; the contracts in proto/.""", flush=True)


def main():
    once = "--once" in sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    house = Installation(folder)
    kept = interrupted = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        print(f"\nTocsin 警钟: one alarm, from the button to the proof. A step of this demo's plan waits {ANSWER_S} s.\n", flush=True)
        house.start()
        where_the_desk_is(house)
        house.teller = Teller(house)
        house.teller.tell()
        if not once:
            what_next(house)
            signal.pause()
    except KeyboardInterrupt:
        interrupted = True
    except (StoryFailed, loopback.PartFailed, OSError) as problem:
        kept = True
        print(f"\ndemo: {problem}\nThe logs are in {folder}.", file=sys.stderr)
        return 1
    finally:
        for number in signal.SIGINT, signal.SIGTERM:  # it ends already, within seconds
            signal.signal(number, signal.SIG_IGN)
        if interrupted:
            print(flush=True)
        house.stop()
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
    if once:
        print(json.dumps(house.teller.measures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
