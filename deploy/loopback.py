"""An installation of Tocsin on loopback: broker, daemon and their configuration, as child processes in one folder.

For deploy/demo and the scenario tests. Nothing of it needs a fixed port, root or a running service, and everything
started here ends with the Python process that started it, however that ends.

    broker = Broker(folder, {"school-1/room-204": "a password"})
    broker.start()
    daemon = Daemon(folder, "tocsin.yaml", build="build/demo")
    daemon.start()                      # returns when it answers; daemon.url is then known
"""
import ctypes
import os
import pwd
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAEMON_USER = "tocsin-daemon"
SUPERVISION_USER = "tocsin-supervision"
RECEIPTS_USER = "tocsin-receipts"
OUR_USERS = (DAEMON_USER, SUPERVISION_USER, RECEIPTS_USER)


class PartFailed(Exception):
    """A part did not start or stop as it should; the text holds the end of its log."""


def free_port():
    """Not one that outgoing connections take (ip_local_port_range): while a part is away, nobody gets its port."""
    for _ in range(1000):
        port = 10000 + secrets.randbelow(20000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise PartFailed("no port of 127.0.0.1 between 10000 and 29999 is free")


def _end_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Part:
    """A child process whose output goes to a log file."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_file = self.folder / f"{name}.log"
        self.process = None

    def run(self, command, output=None, **options):
        """`output`: where its standard output goes instead of the log, e.g. subprocess.PIPE."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output or log,
                                            stderr=log, preexec_fn=_end_with_parent, **options)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def fail(self, what):
        raise PartFailed(f"{self.name} {what}; the end of {self.log_file}:\n{self.log()[-3000:]}")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, grace_s=10):
        """Asks it to end; its exit status. None when it was not running."""
        if not self.alive():
            return None
        self.process.terminate()
        try:
            return self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self.fail(f"did not end within {grace_s} s of SIGTERM")

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()


def access_list(daemon=DAEMON_USER, devices=()):
    """The rules of deploy/certificates (write_acl), for named devices "site/device"."""
    lines = ["pattern write tocsin/v1/%u/press", "pattern write tocsin/v1/%u/heartbeat", "pattern write tocsin/v1/%u/offline",
             "pattern read tocsin/v1/%u/receipt", f"user {daemon}", "topic read tocsin/v1/+/+/press",
             "topic read tocsin/v1/+/+/heartbeat", "topic read tocsin/v1/+/+/offline", "topic write tocsin/v1/+/+/receipt",
             "topic readwrite tocsin/v1/+/state", "topic readwrite tocsin/v1/daemon/+/loopback", "topic read $SYS/broker/#",
             f"user {SUPERVISION_USER}",
             "topic read tocsin/v1/+/+/heartbeat", "topic read tocsin/v1/+/+/offline",
             f"topic readwrite tocsin/v1/daemon/{SUPERVISION_USER}/loopback",
             f"user {RECEIPTS_USER}",
             "topic write tocsin/v1/+/+/receipt", f"topic read tocsin/v1/daemon/{RECEIPTS_USER}/receipt"]
    for device in devices:
        lines += [f"user {device}", f"topic read tocsin/v1/{device.split('/')[0]}/state"]
    return "\n".join(lines) + "\n"


class Broker(Part):
    """A private mosquitto. `passwords`: user name -> password, of the devices and of the daemon's connections (made when not
    given)."""

    def __init__(self, folder, passwords, extra=""):
        super().__init__("mosquitto", folder)
        self.passwords = {user: secrets.token_urlsafe(18) for user in OUR_USERS} | passwords
        self.extra = extra
        self.port = None

    def _write_files(self):
        password_file = self.folder / "passwords"
        password_file.write_text("".join(f"{user}:{password}\n" for user, password in self.passwords.items()))
        password_file.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(password_file)], check=True, capture_output=True)
        (self.folder / "access").write_text(access_list(devices=[user for user in self.passwords if "/" in user]))
        (self.folder / "mosquitto.conf").write_text(f"""\
listener {self.port} 127.0.0.1
user {pwd.getpwuid(os.geteuid()).pw_name}
allow_anonymous false
password_file {password_file}
acl_file {self.folder}/access
max_inflight_messages 200
max_queued_messages 20000
set_tcp_nodelay true
persistence true
persistence_location {self.folder}/
autosave_interval 1
{self.extra}
""")

    def start(self):
        """On the same port as before, when it ran before."""
        for _ in range(5):
            first = self.port is None
            self.port = self.port or free_port()
            self._write_files()
            self.run(["mosquitto", "-c", self.folder / "mosquitto.conf"])
            if self._answers():
                return
            if not first or "Address already in use" not in self.log():
                break
            self.port = None
        self.fail("did not start")

    def _answers(self, within_s=10):
        end = time.monotonic() + within_s
        while time.monotonic() < end and self.alive():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.01)
        return False


class Daemon(Part):
    """tocsind on a configuration file whose daemon.state_dir is `state_dir` and whose http port is 0."""

    def __init__(self, folder, config_file, state_dir, build, environment=None):
        super().__init__("tocsind", folder)
        self.config_file, self.state_dir = Path(config_file), Path(state_dir)
        self.last_good_file = self.state_dir / "last-good.conf"
        self.build, self.environment = Path(build), environment or {}
        self.url = None

    def start(self, ready=True, within_s=30):
        """Returns when it answers over HTTP and, if `ready`, when it says that presses come in, are recorded and go out."""
        self.launch()
        self.wait_until_it_answers(ready, within_s)

    def launch(self):
        (self.state_dir / "http.port").unlink(missing_ok=True)
        self.run([self.build / "daemon" / "tocsind", "--config", self.config_file, "--last-good", self.last_good_file],
                 env={**os.environ, **self.environment})

    def wait_until_it_answers(self, ready=True, within_s=30):
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if not self.alive():
                self.fail(f"ended with status {self.process.returncode}")
            if self._answers("/readyz" if ready else "/healthz"):
                return
            time.sleep(0.01)
        self.fail(f"was not {'ready' if ready else 'there'} after {within_s} s")

    def _answers(self, path):
        try:
            self.url = f"http://127.0.0.1:{int((self.state_dir / 'http.port').read_text())}"
            with urllib.request.urlopen(self.url + path, timeout=2):
                return True
        except (OSError, ValueError):
            return False
