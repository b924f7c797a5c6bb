"""A whole Tocsin in one folder: real mosquitto, real tocsind, real HTTP servers that play police, bureau and guard.

    with House(folder) as house:
        room = house.button("school-1/room-101")
        press = room.press()
        press.receipt("recorded")                       # waits
        alarm = house.alarm(press)                      # as the API tells it
        house.police.told("alarm.opened", press)        # waits
        house.deed(alarm, "acknowledge")
        house.check()                                   # what must hold whatever happened

Waiting is for events: receipts, tellings and the feed wake the one condition that wait_for() waits on; only questions to
the API are asked again every 20 ms. Several houses may stand beside each other.
"""
import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import threading
import time
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path

import paho.mqtt.client as mqtt
import requests
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
import loopback  # noqa: E402

sample_endpoint = types.ModuleType("sample_endpoint")
SourceFileLoader("sample_endpoint", str(ROOT / "deploy" / "sample-endpoint")).exec_module(sample_endpoint)

BUILD = Path(os.environ.get("TOCSIN_BUILD", ROOT / "build" / "test")).resolve()
IS_SANITIZED = b"address" in (BUILD / "meson-private" / "cmd_line.txt").read_bytes() if BUILD.is_dir() else False
PATIENCE_S = 20 if not IS_SANITIZED else 40  # a wait that is longer has failed


SLOW_DISK = "fdatasync,fsync:delay_enter={}000"  # .format(ms)


def fill(file):
    """With as much as there is room for on its disk."""
    with open(file, "wb", buffering=0) as filler, contextlib.suppress(OSError):
        for size in (65536, 1):
            with contextlib.suppress(OSError):
                while filler.write(b"x" * size) == size:
                    pass


class Injection(loopback.Part):
    """System calls of a running process that fail or take long, as strace(1) injects them: "fdatasync:error=EIO" …
    As a context: until its end."""

    def __init__(self, folder, pid, *injections):
        super().__init__(f"strace-{secrets.token_hex(3)}", folder)
        names = ",".join(injection.split(":")[0] for injection in injections)
        words = [word for injection in injections for word in ("-e", "inject=" + injection)]
        self.run(["strace", "-f", "-p", pid, "-o", "/dev/null", "-e", "trace=" + names, *words])
        end = time.monotonic() + PATIENCE_S
        while "attached" not in self.log():
            if time.monotonic() > end or not self.alive():
                self.fail("could not be attached")
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Endpoint:
    """A programmable endpoint. `behaviour(telling, connection)` answers like sample-endpoint's: (status, body) or None
    when it has dealt with the connection itself. Probes are answered unless the behaviour says it wants them, too."""

    def __init__(self, house, name, acknowledges=False):
        self.house, self.name = house, name
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.tellings = []
        self.behaviour, self.answers_probes = (self.acknowledging if acknowledges else self.receiving), True
        self.receiver, self.port = None, 0
        self.up()

    def up(self):
        self.receiver = sample_endpoint.Receiver(self._answer, [self.secret], self.port)
        self.port = self.receiver.server_address[1]
        threading.Thread(target=self.receiver.serve_forever, args=(0.02,), daemon=True).start()

    def down(self):
        """Nobody listens there any more; connections that stand are closed at their next request."""
        if self.receiver:
            self.receiver.shutdown()
            self.receiver.server_close()
            self.receiver = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/tocsin"

    def _answer(self, telling, connection):
        if self.receiver is None:
            connection.close_connection = True
            connection.connection.close()
            return None
        if telling.type == "probe" and self.answers_probes:
            return 200, {}
        with self.house.changed:
            self.tellings.append(telling)
            self.house.changed.notify_all()
        return self.behaviour(telling, connection)

    # behaviours
    @staticmethod
    def receiving(telling, _connection):
        return 200, {"alarm": telling.alarm.get("id", "")}

    def acknowledging(self, telling, _connection):
        return 200, {"alarm": telling.alarm.get("id", ""), "ack": {"by": self.name + "-desk"}}

    @staticmethod
    def refusing(_telling, _connection):
        return 200, {"refuse": {"reason": "not our district"}}

    @staticmethod
    def failing(_telling, _connection):
        return 503, {"error": "out of order"}

    def silent(self, _telling, connection):
        """Takes the telling and never answers."""
        self.house.wait_until_closing()
        connection.close_connection = True

    # what it was told
    def of(self, press_or_alarm, type=None):
        alarm = alarm_id(press_or_alarm)
        with self.house.changed:
            return [telling for telling in self.tellings
                    if telling.alarm.get("id") == alarm and type in (None, telling.type)]

    def told(self, type, press_or_alarm, timeout_s=PATIENCE_S):
        """Waits until it was told that of the alarm; the first such telling."""
        self.house.wait_for(lambda: self.of(press_or_alarm, type), f"{self.name} is told {type}", timeout_s)
        return self.of(press_or_alarm, type)[0]

    def identities(self, alarm):
        return {(press["device"], press.get("epoch"), press.get("n")) for telling in self.of(alarm) for press in telling.presses}


def same_after_a_restart(telling):
    """A telling's body without what proto/webhook.md says is new when it is made anew under the same id."""
    data = {name: value for name, value in telling.data.items() if name not in ("recorded", "told_at")}
    if "alarm" in data:
        data["alarm"] = {name: value for name, value in data["alarm"].items() if name != "stage"}
    return telling.type, telling.body.get("timestamp"), data


def alarm_id(thing):
    if isinstance(thing, Press):
        return thing.alarm_id
    return thing["id"] if isinstance(thing, dict) else thing


class Press:
    """A press as a button made it."""

    def __init__(self, button, epoch, n, payload, at):
        self.button, self.epoch, self.n, self.payload, self.at = button, epoch, n, payload, at
        self.at_ms = time.time() * 1000

    @property
    def identity(self):
        return (self.button.device, self.epoch, self.n)

    def receipts(self, stage=None):
        with self.button.house.changed:
            return [receipt for receipt in self.button.receipts
                    if (receipt.get("epoch"), receipt.get("n")) == (self.epoch, self.n) and stage in (None, receipt["stage"])]

    def receipt(self, stage, timeout_s=PATIENCE_S):
        """Waits for the receipt; the alarm it names is then known."""
        self.button.house.wait_for(lambda: self.receipts(stage), f"{self.button.name} has the receipt \"{stage}\"", timeout_s)
        return self.receipts(stage)[0]

    @property
    def alarm_id(self):
        """The alarm it belongs to, worked out by anybody only when it opened one: a joined press asks its receipt."""
        receipts = [receipt for receipt in self.receipts() if receipt.get("alarm")]
        return receipts[0]["alarm"] if receipts else own_alarm_id(self.button.site, *self.identity)


def own_alarm_id(site, device, epoch, n):
    """The id of the alarm that this press opens: daemon/core/id.h."""
    digest = hashlib.sha256(f"{site}/{device}/{epoch}/{n}".encode()).digest()
    return "a" + base64.b32encode(digest).decode().lower()[:20]


class Button:
    """A button over a plain MQTT client: sees everything, repeats nothing by itself."""

    def __init__(self, house, name, key=None, user=None, password=None, clean=True):
        self.house, self.name, self.key = house, name, key
        self.site, self.device = name.split("/")
        self.epoch, self.n = secrets.token_hex(4), 0
        self.receipts, self.states = [], []
        self.client = mqtt.Client(f"button-{name}-{secrets.token_hex(3)}", clean_session=clean)
        self.client.username_pw_set(user or name, password or house.broker.passwords[name])
        self.client.max_inflight_messages_set(1000)
        self._subscribed = threading.Event()
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._heard
        self.client.reconnect_delay_set(0.1, 0.5)
        self.client.connect("127.0.0.1", house.broker.port)
        self.client.loop_start()
        assert self._subscribed.wait(PATIENCE_S), f"{name} could not subscribe"

    def _connected(self, client, *_):
        client.subscribe([(self.topic("receipt"), 1), (f"tocsin/v1/{self.site}/state", 1)])

    def _heard(self, _client, _data, message):
        with self.house.changed:
            heard = self.receipts if message.topic.endswith("/receipt") else self.states
            heard.append({**json.loads(message.payload), "heard_at": time.monotonic()})
            self.house.changed.notify_all()

    def topic(self, word):
        return f"tocsin/v1/{self.name}/{word}"

    def press(self, n=None, epoch=None, retain=False, qos=1, wait=False, **fields):
        """Presses; fields go into the payload as they are. With a key the press is signed, unless sig=... is given."""
        self.n = self.n + 1 if n is None else n
        payload = {"epoch": epoch or self.epoch, "n": self.n, **fields}
        if self.key and "sig" not in fields:
            payload["sig"] = self.sign(payload)
        press = Press(self, payload["epoch"], self.n, json.dumps(payload).encode(), time.monotonic())
        self.send(press.payload, retain=retain, qos=qos, wait=wait)
        return press

    def again(self, press, **options):
        self.send(press.payload, **options)

    def send(self, payload, word="press", retain=False, qos=1, wait=False):
        """Any bytes. wait: until the broker has them."""
        info = self.client.publish(self.topic(word), payload, qos, retain)
        if wait:
            info.wait_for_publish(PATIENCE_S)

    def sign(self, payload):
        mode = "test" if payload.get("test") else "drill" if payload.get("drill") else "real"
        words = ["tocsin-press-v1", self.site, self.device, payload["epoch"], payload["n"], payload.get("kind", ""), mode,
                 payload.get("at", "")]
        text = "".join(f"{word}\n" for word in words).encode()
        return base64.b64encode(hmac.new(self.key, text, hashlib.sha256).digest()).decode()

    def heartbeat(self, **fields):
        self.send(json.dumps(fields).encode(), "heartbeat", qos=0)

    def close(self):
        self.client.disconnect()  # first: the thread ends by it; without, it looks for the end once a second only
        self.client.loop_stop()


class House:
    DEVICES = ("room-101", "room-102", "gate", "signed")

    def __init__(self, folder, adjust=None, environment=None, start=True, devices=DEVICES, sites=("school-1",),
                 guard=True, state_dir=None):
        """`adjust(configuration)` may change the dictionary before it is written; see configuration()."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self.state_dir = Path(state_dir or self.folder / "state")
        self.state_dir.mkdir(mode=0o700, exist_ok=True)
        self.sites, self.devices = list(sites), list(devices)
        self.keys = {f"{site}/signed": secrets.token_bytes(32) for site in sites if "signed" in devices}
        self.tokens, self.buttons = {}, []
        self.clock_is_wrong = False  # then the endpoints' look at webhook-timestamp says nothing
        self.police, self.bureau = Endpoint(self, "police"), Endpoint(self, "bureau")
        self.guard = Endpoint(self, "guard") if guard else None
        self.endpoints = [endpoint for endpoint in (self.police, self.bureau, self.guard) if endpoint]
        names = [f"{site}/{device}" for site in sites for device in devices]
        self.broker = loopback.Broker(self.folder / "broker", {name: secrets.token_urlsafe(9) for name in names})
        self.adjust = adjust
        self.daemon = loopback.Daemon(self.folder, self.folder / "tocsin.yaml", self.state_dir, BUILD, environment)
        self.session = requests.Session()
        self.feed = None
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the configuration
    def token(self, account):
        return self.tokens.setdefault(account, "tk_" + secrets.token_urlsafe(32))

    def configuration(self):
        def account(name, role, sites=None):
            entry = {"id": name, "name": name, "role": role,
                     "token_hashes": ["sha256:" + hashlib.sha256(self.token(name).encode()).hexdigest()]}
            return {**entry, "sites": sites} if sites else entry

        steps = [{"endpoints": ["police", "bureau"], "answer_timeout_s": 2}]
        if self.guard:
            steps.append({"endpoints": ["guard"], "answer_timeout_s": 2})
        return {
            "daemon": {"name": "tocsin.test", "state_dir": str(self.state_dir), "journal_key_file": "journal.key",
                       "http_listen": "127.0.0.1:0", "log_level": "debug"},
            "broker": {"address": "127.0.0.1", "port": self.broker.port, "client_id": loopback.DAEMON_USER,
                       "username": loopback.DAEMON_USER, "password_file": f"{loopback.DAEMON_USER}.password",
                       "loopback_s": 1},
            "endpoints": [{"id": endpoint.name, "name": f"The {endpoint.name} desk", "role": endpoint.name,
                           "urls": [endpoint.url], "secret_file": f"{endpoint.name}.secret", "probe_s": 1}
                          for endpoint in self.endpoints],
            "plans": [{"id": "default", "acks_needed": ["police"], "coming_timeout_s": 3600, "steps": steps}],
            "accounts": [account("admin", "admin"), account("desk-1", "police"), account("desk-2", "police"),
                         account("viewer", "viewer"), account("guard-2", "guard", [self.sites[-1]])],
        }

    def site_configuration(self, site):
        entry = {
            "id": site, "name": f"实验小学 {site}", "address": "1 Example Road", "latitude": 31.23, "longitude": 121.47,
            "plan": "default", "contacts": [{"name": "duty teacher", "phone": "+86 21 0000 0000"}],
            "zones": [{"id": "101", "name": "Room 101"}, {"id": "102", "name": "Room 102"}],
            "devices": [{"id": device, "kind": "panic", "silent_after_s": 0,
                         **({"zone": device[-3:]} if device[-3:] in ("101", "102") else {})} for device in self.devices],
        }
        if f"{site}/signed" in self.keys:
            entry["keys_file"] = f"{site}.keys"
        return entry

    def private(self, name, text):
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return file

    def write_configuration(self):
        main = self.configuration()
        main["sites"] = [self.site_configuration(site) for site in self.sites]
        if self.adjust:
            self.adjust(main)
        sites = main.pop("sites")
        folder = self.folder / "sites.d"
        folder.mkdir(exist_ok=True)
        for site in sites:
            if "keys_file" in site:
                site["keys_file"] = str(self.folder / site["keys_file"])
            (folder / f"{site['id']}.yaml").write_text(yaml.safe_dump({"sites": [site]}, allow_unicode=True, sort_keys=False))
        (self.folder / "tocsin.yaml").write_text(yaml.safe_dump(main, allow_unicode=True, sort_keys=False))
        for endpoint in self.endpoints:
            self.private(f"{endpoint.name}.secret", endpoint.secret + "\n")
        for user in loopback.OUR_USERS:
            self.private(f"{user}.password", self.broker.passwords[user] + "\n")
        for site in self.sites:
            self.private(f"{site}.keys", "".join(f"{name.split('/')[1]} {base64.b64encode(key).decode()}\n"
                                                 for name, key in self.keys.items() if name.startswith(site + "/")))
        if not (self.folder / "journal.key").exists():
            self.tool("keygen", "journal", str(self.folder / "journal.key"), "--name", "tocsin.test", connected=False)

    # ---- running
    def start(self, ready=True):
        if not self.broker.alive():
            self.broker.start()
        self.write_configuration()
        self.daemon.start(ready)
        self.feed_follow()

    def feed_follow(self):
        self.feed = self.feed or Feed(self)

    def restart(self, ready=True):
        self.daemon.start(ready)

    def stop(self):
        """Asks the daemon to end and holds it to its promise of 5 s and a clean end."""
        status = self.daemon.stop(grace_s=5 if not IS_SANITIZED else 30)
        assert status in (0, None), f"tocsind ended with {status}:\n{self.daemon.log()[-3000:]}"

    def close(self):
        self.closing.set()
        try:
            self.stop()
        finally:
            self.daemon.kill()
            for button in self.buttons:
                button.close()
            for endpoint in self.endpoints:
                endpoint.down()
            self.broker.kill()
        self.check_log()

    def check_log(self):
        for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion `"):
            assert sign not in self.daemon.log(), f"tocsind: {sign}\n{self.daemon.log()[-6000:]}"

    def inject(self, *injections):
        """From now on, and until the end of the context, system calls of the daemon fail or take long."""
        return Injection(self.folder, self.daemon.pid, *injections)

    # ---- waiting
    def wait_for(self, holds, what, timeout_s=PATIENCE_S):
        """Waits until holds() is true; its value."""
        end = time.monotonic() + timeout_s
        while True:
            value = holds()
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"waited {timeout_s} s in vain until {what}; the end of the daemon's log:\n"
                                     + self.daemon.log()[-3000:])
            with self.changed:
                self.changed.wait(0.02)

    def never(self, happens, what, for_s):
        """Watches for_s seconds that something does not happen."""
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            assert not happens(), f"it happened that {what}"
            with self.changed:
                self.changed.wait(0.02)

    def wait_until_closing(self):
        self.closing.wait(PATIENCE_S)

    # ---- buttons, tool, API
    def button(self, name="school-1/room-101", **options):
        button = Button(self, name, key=self.keys.get(name), **options)
        self.buttons.append(button)
        return button

    def tool(self, *words, connected=True, account="desk-1", check=True):
        """Runs the tocsin tool; its standard output."""
        environment = dict(os.environ)
        if connected:
            token_file = self.private(f"{account}.token", self.token(account) + "\n")
            environment |= {"TOCSIN_URL": self.daemon.url, "TOCSIN_TOKEN_FILE": str(token_file)}
        done = subprocess.run([str(BUILD / "clients" / "cli" / "tocsin"), *words], env=environment, capture_output=True,
                              text=True, timeout=60)
        assert not check or done.returncode == 0, f"tocsin {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if check else done

    def ask(self, method, path, account="desk-1", **options):
        headers = {"Authorization": f"Bearer {self.token(account)}"} if account else {}
        return self.session.request(method, self.daemon.url + path, headers={**headers, **options.pop("headers", {})},
                                    timeout=PATIENCE_S, **options)

    def metric(self, name):
        lines = self.ask("GET", "/metrics", None).text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    def api(self, path, account="desk-1", **query):
        answer = self.ask("GET", "/api/v1/" + path, account, params=query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def all_alarms(self):
        """Open and closed, the newest first, from as many pages as it takes."""
        page = self.api("alarms", "admin", state="all", limit=1000)
        alarms = page["alarms"]
        while page["next"]:
            page = self.api("alarms", "admin", state="all", limit=1000, before=page["next"])
            alarms += page["alarms"]
        return alarms

    def alarm(self, press_or_alarm):
        """The alarm with its full story; waits until there is one."""
        path = "/api/v1/alarms/" + alarm_id(press_or_alarm)
        self.wait_for(lambda: self.ask("GET", path).status_code == 200, "the alarm is known")
        return self.api("alarms/" + alarm_id(press_or_alarm))

    def alarm_when(self, press_or_alarm, holds, what):
        return self.wait_for(lambda: (lambda alarm: holds(alarm) and alarm)(self.alarm(press_or_alarm)), what)

    def deed(self, press_or_alarm, deed, account="desk-1", **body):
        return self.ask("POST", f"/api/v1/alarms/{alarm_id(press_or_alarm)}/{deed}", account, json=body or None)

    def close_alarm(self, press_or_alarm, disposition="false", account="desk-1"):
        """Closes it as a person does who has seen all of it."""
        answer = self.deed(press_or_alarm, "close", account, disposition=disposition,
                           seen_version=self.alarm(press_or_alarm)["version"])
        assert answer.status_code == 200, answer.text
        return answer.json()

    def troubles(self, code=None, part=None):
        return [trouble for trouble in self.api("troubles", "admin")["troubles"]
                if code in (None, trouble["code"]) and part in (None, trouble["part"])]

    def trouble(self, code, part=None, timeout_s=20):
        """Waits for a trouble: 20 s is what the design promises."""
        return self.wait_for(lambda: self.troubles(code, part), f"trouble {code} is shown", timeout_s)[0]

    def no_trouble(self, code, part=None, timeout_s=20):
        self.wait_for(lambda: not self.troubles(code, part), f"trouble {code} is over", timeout_s)

    def refused(self):
        return self.api("refused", "admin", limit=1000)["refused"]

    # ---- the record
    def journal(self, type=None):
        """Every line, as objects."""
        lines, start = [], 1
        while True:
            answer = self.ask("GET", "/api/v1/journal", "admin", params={"from": start, "limit": 10000})
            assert answer.status_code == 200, answer.text
            page = [json.loads(line) for line in answer.text.splitlines()]
            lines += page
            if not answer.links.get("next") or not page:
                return [line for line in lines if type in (None, line["type"])]
            start = page[-1]["seq"] + 1

    def export(self, folder=None):
        """An export of the journal; the folder it is in."""
        folder = Path(folder or self.folder / f"export-{secrets.token_hex(3)}")
        self.tool("journal", "export", str(folder), "--journal", str(self.state_dir / "journal.db"),
                  "--key", str(self.folder / "journal.key.pub"), connected=False)
        return folder

    # ---- what must hold whatever happened
    def check_record(self):
        """The journal verifies and has no gap; its lines."""
        lines = self.journal()
        assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1)), "the journal has a gap"
        self.tool("journal", "verify", str(self.export()), connected=False)
        return lines

    def check(self):
        """Every press that had a receipt is in the journal, which is good; whoever was told of an alarm received every
        press of it; one webhook-id never told two things."""
        receipts = [(button, receipt) for button in self.buttons for receipt in list(button.receipts)]  # before the record is read
        lines = self.check_record()
        recorded = {(line["site"], line["device"], line["epoch"], line["n"]) for line in lines
                    if line["type"] in ("press_received", "press_refused")}
        for button, receipt in receipts:
            if receipt["stage"] != "refused":
                identity = (button.site, button.device, receipt["epoch"], receipt["n"])
                assert identity in recorded, f"{identity} was answered {receipt['stage']} and is not in the journal"
        self._check_endpoints()

    def _check_endpoints(self):
        for endpoint in self.endpoints:
            told = {}
            for telling in endpoint.tellings:
                assert telling.problem is None or self.clock_is_wrong, f"{endpoint.name} cannot trust it: {telling.problem}"
                if telling.data.get("recorded") is False:
                    continue  # what is not on the disk may be stamped anew after a kill
                facts = same_after_a_restart(telling)
                assert told.setdefault(telling.id, facts) == facts, f"{telling.id} told two things:\n{told[telling.id]}\n{facts}"
        ours = {endpoint.name: endpoint for endpoint in self.endpoints}
        for alarm in self.all_alarms():
            for delivery in alarm["deliveries"]:
                if delivery["state"] != "received" or delivery["endpoint"] not in ours:
                    continue
                endpoint = ours[delivery["endpoint"]]
                wanted = {(press["device"], press["epoch"], press["n"]) for press in self.alarm(alarm)["presses"]}
                missing = wanted - endpoint.identities(alarm)
                assert not missing, f"{endpoint.name} has received alarm {alarm['id']}, but never these presses: {missing}"


class Feed:
    """The live feed of an administrator, resumed by id over every interruption."""

    def __init__(self, house):
        self.house, self.events, self.last = house, [], "0"
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while not self.house.closing.is_set():
            try:
                headers = {"Authorization": f"Bearer {self.house.token('admin')}", "Last-Event-ID": self.last}
                with requests.get(self.house.daemon.url + "/api/v1/feed", headers=headers, stream=True, timeout=25) as answer:
                    if answer.status_code == 200:
                        self._read(answer)
            except requests.RequestException:
                pass
            self.house.closing.wait(0.02)

    def _read(self, answer):
        fields = {}
        for line in answer.iter_lines(chunk_size=1):
            name, _, value = line.decode().partition(":")
            fields[name] = value.strip()
            if not line:  # a message ends; only now it counts, and so does its id
                self._take(fields)
                fields = {}

    def _take(self, fields):
        with self.house.changed:
            self.last = fields.get("id", self.last)
            if "data" in fields:
                self.events.append(json.loads(fields["data"]))
            self.house.changed.notify_all()

    def find(self, type, **members):
        with self.house.changed:
            return [event for event in self.events
                    if event["type"] == type and all(event.get(name) == value for name, value in members.items())]

    def wait(self, type, timeout_s=PATIENCE_S, **members):
        return self.house.wait_for(lambda: self.find(type, **members), f"the feed tells {type} {members}", timeout_s)[0]
