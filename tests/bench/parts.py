"""The parts of a measurement: broker, sinks, subject and generator as processes on loopback, in one folder.

    with Rig(tools, "tocsind", sites=1200, devices=1200) as rig:
        result = rig.generate("latency", first=0, warm_up=200, count=1000)
    rig.doubled                                  # known when the sinks have ended

The subject is "floor" or "tocsind". All of it ends with the process that started it.
"""
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
from loopback import Daemon, Part, PartFailed, free_port  # noqa: E402, F401

CONNECTIONS = 1000
READY_S = 120
TARGETS = ["daemon/tocsind", "clients/cli/tocsin", "tests/bench/generator", "tests/bench/sink", "tests/bench/floor",
           "tests/bench/make_journal"]

# What of the shipped broker configuration decides how fast it is and what it drops. TLS is left out for both subjects.
BROKER_KEYS = ("max_inflight_messages", "max_queued_messages", "max_queued_bytes", "set_tcp_nodelay", "max_packet_size",
               "max_connections", "persistence", "autosave_interval")


class Tools:
    """A build and the secrets that all measurements share."""

    def __init__(self, build, folder, keep=False):
        self.build, self.folder, self.keep = Path(build), Path(folder), keep
        for what, file, *options in (("journal", "journal.key", "--name", "tocsin.bench"),
                                     ("webhook", "police.secret"), ("webhook", "bureau.secret")):
            subprocess.run([self.build / "clients/cli/tocsin", "keygen", what, self.folder / file, *options],
                           check=True, stdout=subprocess.DEVNULL)

    def program(self, name):
        return self.build / "tests" / "bench" / name


def make_build(build):
    """Brings the build up to date, also with packages that came later; makes it when it is not there."""
    option = "--reconfigure" if (build / "build.ninja").exists() else "--buildtype=release"
    subprocess.run(["meson", "setup", option, build, ROOT], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", build, "--quiet", *TARGETS], check=True, stdout=subprocess.DEVNULL)


def build_type(build):
    options = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text())
    return next(option["value"] for option in options if option["name"] == "buildtype")


def processor_s(pid):
    """Processor time that a process and its threads have used, to the nanosecond: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


class Broker(Part):
    def __init__(self, folder):
        super().__init__("mosquitto", folder)
        self.port = free_port()

    def start(self):
        shipped = (line.split() for line in (ROOT / "deploy/mosquitto/tocsin.conf").read_text().splitlines())
        limits = "".join(f"{words[0]} {words[1]}\n" for words in shipped if len(words) > 1 and words[0] in BROKER_KEYS)
        (self.folder / "mosquitto.conf").write_text(f"""\
listener {self.port} 127.0.0.1
user {pwd.getpwuid(os.geteuid()).pw_name}
allow_anonymous true
persistence_location {self.folder}/
log_type error
log_type warning
{limits}""")
        self.run(["mosquitto", "-c", self.folder / "mosquitto.conf"])
        until = time.monotonic() + 10
        while time.monotonic() < until and self.alive():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        self.fail("did not start")


class Sinks(Part):
    """Police and bureau. `ports` after start(), `counts` after stop()."""

    def __init__(self, folder):
        super().__init__("sink", folder)
        self.ports, self.counts = [], None

    def start(self, program, table, devices, rows):
        self.run([program, "--table", table, "--devices", devices, "--rows", rows], output=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            self.fail("did not start")
        self.ports = json.loads(line)["ports"]

    @property
    def urls(self):
        return [f"http://127.0.0.1:{port}/tocsin" for port in self.ports]

    def stop(self, grace_s=10):
        if self.alive():
            self.process.terminate()
            self.counts = json.loads(self.process.communicate(timeout=grace_s)[0])


class Floor(Part):
    """The naive pipeline."""

    def __init__(self, folder, program):
        super().__init__("floor", folder)
        self.program = program

    def start(self, broker_port, urls):
        self.run([self.program, "--port", broker_port, "--folder", self.folder, "--urls", ",".join(urls)])
        until = time.monotonic() + READY_S
        while not (self.folder / "heartbeats").exists():
            if not self.alive() or time.monotonic() > until:
                self.fail("did not start")
            time.sleep(0.01)

    def heartbeats(self):
        return int((self.folder / "heartbeats").read_text())


class Tocsind(Daemon):
    def metric(self, name):
        with urllib.request.urlopen(self.url + "/metrics", timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(float(line.split()[1]))
        raise RuntimeError(f"/metrics has no {name}")

    def heartbeats(self):
        return self.metric("tocsin_heartbeats_total")

    def wait_for_connections(self):
        """It is ready as soon as presses come through; heartbeats and receipts have connections of their own."""
        until = time.monotonic() + READY_S
        while self.metric("tocsin_mqtt_connections") < 2 or self.metric("tocsin_mqtt_receipts_apart") < 1:
            if time.monotonic() > until:
                self.fail("has no connection for heartbeats or for receipts")
            time.sleep(0.01)


def write_configuration(tools, folder, broker_port, urls, sites, devices, bad_urls=()):
    """Device d stands in site d % sites, as in fleet.h. The folder of the file has the journal."""
    endpoints = [("police", "police", urls[0], "police.secret"), ("bureau", "bureau", urls[1], "bureau.secret")]
    endpoints += [(f"bad-{i}", "guard", url, None) for i, url in enumerate(bad_urls)]
    lines = [f"daemon: {{name: tocsin.bench, state_dir: ., journal_key_file: {tools.folder}/journal.key,",
             "  http_listen: '127.0.0.1:0', log_level: warning, disk_free_mb: 1}",
             f"broker: {{address: 127.0.0.1, port: {broker_port}, client_id: tocsin,",
             "  supervision: {client_id: tocsin-supervision}, receipts: {client_id: tocsin-receipts}}",
             "endpoints:"]
    for name, role, url, secret in endpoints:
        signed = f", secret_file: {tools.folder}/{secret}" if secret else ""
        lines.append(f"  - {{id: {name}, name: {name}, role: {role}, urls: ['{url}']{signed}}}")
    names = ", ".join(name for name, *_ in endpoints)
    lines += ["plans:",
              f"  - {{id: default, steps: [{{answer_timeout_s: 3600, endpoints: [{names}]}}], acks_needed: [police]}}",
              "accounts:",
              f"  - {{id: desk, name: desk, role: police, token_hashes: ['sha256:{'0' * 63}1']}}",
              "sites:"]
    for site in range(sites):
        lines.append(f"  - id: s{site:05}\n    name: School {site}\n    address: Street {site}\n    devices:")
        lines += [f"      - {{id: d{device:05}, silent_after_s: 0}}" for device in range(site, devices, sites)]
    file = Path(folder) / "tocsin.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file


class BadEndpoints:
    """Three that harm: one takes connections and never answers, one answers a byte a second, one refuses them."""

    def __enter__(self):
        self.black_hole, self.slow, self.refusing = socket.socket(), socket.socket(), socket.socket()
        for listener in (self.black_hole, self.slow, self.refusing):
            listener.bind(("127.0.0.1", 0))
        self.black_hole.listen(1024)
        self.slow.listen(1024)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def _accept(self):
        while True:
            try:
                connection = self.slow.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._trickle, args=(connection,), daemon=True).start()

    @staticmethod
    def _trickle(connection):
        with connection:
            try:
                for byte in b"HTTP/1.1 204 No Content\r\n\r\n" * 10:
                    connection.send(bytes([byte]))
                    time.sleep(1)
            except OSError:
                pass

    @property
    def urls(self):
        return [f"http://127.0.0.1:{bad.getsockname()[1]}/" for bad in (self.black_hole, self.slow, self.refusing)]

    def __exit__(self, *_):
        for listener in (self.black_hole, self.slow, self.refusing):
            listener.close()


class Rig:
    """Everything, running, for one measurement. `each`: presses of a device at most; `prepare(configuration file)` is
    called before tocsind starts."""

    def __init__(self, tools, subject, sites, devices, each=1, bad_urls=(), prepare=None):
        self.tools, self.kind, self.sites, self.devices = tools, subject, sites, devices
        self.rows, self.bad_urls, self.prepare = devices * each, bad_urls, prepare
        self.folder = Path(tempfile.mkdtemp(prefix=f"{subject}-", dir=tools.folder))
        self.table = os.memfd_create("bench-table")
        self.broker, self.sinks, self.subject = Broker(self.folder), Sinks(self.folder), None

    @property
    def table_file(self):
        return f"/proc/{os.getpid()}/fd/{self.table}"

    def __enter__(self):
        try:
            self.broker.start()
            self.sinks.start(self.tools.program("sink"), self.table_file, self.devices, self.rows)
            self._start_subject()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_subject(self):
        if self.kind == "floor":
            self.subject = Floor(self.folder, self.tools.program("floor"))
            self.subject.start(self.broker.port, self.sinks.urls)
            return
        file = write_configuration(self.tools, self.folder, self.broker.port, self.sinks.urls, self.sites, self.devices,
                                   self.bad_urls)
        if self.prepare:
            self.prepare(file)
        self.subject = Tocsind(self.folder, file, self.folder, self.tools.build)
        self.subject.start(within_s=READY_S)
        self.subject.wait_for_connections()

    def generate(self, mode, receipts=False, **numbers):
        """Runs the generator to its end; what it printed."""
        numbers = {"port": self.broker.port, "sites": self.sites, "connections": CONNECTIONS, **numbers}
        words = [f"--{name.replace('_', '-')}={number}" for name, number in numbers.items()]
        words += ["--receipts"] if receipts else []
        done = subprocess.run([self.tools.program("generator"), mode, "--table", self.table_file, *words],
                              stdout=subprocess.PIPE, check=False)
        if not self.subject.alive():
            self.subject.fail("ended in the middle of it")
        if done.returncode != 0:
            self.subject.fail(f"was measured by a generator that gave up ({mode}, status {done.returncode})")
        return json.loads(done.stdout)

    @property
    def doubled(self):
        return self.sinks.counts["same_id_twice"] + self.sinks.counts["press_under_two_ids"]

    def __exit__(self, *_):
        try:
            if self.subject:
                self.subject.kill() if sys.exc_info()[0] else self.subject.stop()
            self.sinks.stop()
        finally:
            for part in (self.subject, self.sinks, self.broker):
                if part:
                    part.kill()
            os.close(self.table)
            if not self.tools.keep:
                shutil.rmtree(self.folder, ignore_errors=True)
