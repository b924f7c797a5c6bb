"""The broker as an administrator sets it up: deploy/mosquitto/tocsin.conf, with certificates of deploy/certificates. A
device speaks for itself and for nobody else; strangers, ended and revoked certificates are refused."""
import concurrent.futures
import contextlib
import os
import pwd
import queue
import signal
import ssl
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from house import ROOT, loopback

WAIT_S = 10


class Authority:
    def __init__(self, folder, *name):
        self.folder = folder
        folder.mkdir()
        self.run("init", *name)

    def run(self, *words, at=None, check=True):
        """`at`: what the clock says meanwhile, for faketime."""
        clock = ["faketime", at] if at else []
        return subprocess.run([*clock, ROOT / "deploy" / "certificates", "-d", self.folder, *words], check=check,
                              capture_output=True, text=True)

    def device(self, name, **options):
        self.run("device", *name.split("/"), **options)
        return self.folder / "devices" / name


class Broker(loopback.Broker):
    """mosquitto with the shipped configuration; only paths, port and user differ."""

    def __init__(self, folder, authority):
        super().__init__(folder, {})
        self.authority, self.other_authorities = authority, []

    def _write_files(self):
        self.authority.run("give", str(self.folder / "tls"))
        for name in ("ca.crt", "ca.crl", "broker.acl"):
            with open(self.folder / "tls" / name, "a") as file:
                file.writelines((other.folder / name).read_text() for other in self.other_authorities)
        text = (ROOT / "deploy" / "mosquitto" / "tocsin.conf").read_text()
        assert "\nlistener 8883\n" in text
        text = text.replace("listener 8883\nsocket_domain ipv4", f"listener {self.port} 127.0.0.1")
        text = text.replace("/etc/mosquitto/tocsin", str(self.folder / "tls"))
        user = pwd.getpwuid(os.geteuid()).pw_name
        (self.folder / "mosquitto.conf").write_text(f"user {user}\npersistence_location {self.folder}/\n{text}")

    def renew(self):
        self.authority.run("give", str(self.folder / "tls"))
        # The broker is one thread: whoever connects after this line is in the log meets the new files.
        before = self.log().count("Reloading config")
        self.signal(signal.SIGHUP)
        end = time.monotonic() + WAIT_S
        while self.log().count("Reloading config") == before:
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)


class Client:
    def __init__(self, broker, pair, ca=None):
        self.heard, self.changed, self.refused = [], threading.Condition(), None
        self.client = mqtt.Client("any", clean_session=True, protocol=mqtt.MQTTv311)
        context = ssl.create_default_context(cafile=str(ca or broker.authority.folder / "ca.crt"))
        if pair:
            context.load_cert_chain(f"{pair}.crt", f"{pair}.key")
        self.client.tls_set_context(context)
        self.client.on_message = lambda _c, _d, message: self._note((message.topic, message.payload))
        self.client.on_subscribe = lambda *_: self._note("subscribed")
        self.client.on_connect = lambda _c, _d, _f, code: self._note(("connected", code))
        try:
            self.client.connect("127.0.0.1", broker.port)
        except (ssl.SSLError, OSError) as error:
            self.refused = error
            return
        self.closing, self.asked = False, queue.SimpleQueue()
        self.thread = threading.Thread(target=self._loop)
        self.thread.start()

    def _loop(self):  # paho's own loop would end with an exception when TLS 1.3 refuses us late
        with contextlib.suppress(OSError):
            while not self.closing and self.client.loop(0.05) == mqtt.MQTT_ERR_SUCCESS:
                while not self.asked.empty():
                    self.asked.get()()
        self._note("disconnected")

    def _do(self, call):
        """On the client's own thread: two that use one TLS connection at once can break it."""
        done = concurrent.futures.Future()
        self.asked.put(lambda: done.set_result(call()))
        return done.result(WAIT_S)

    def _note(self, what):
        with self.changed:
            self.heard.append(what)
            self.changed.notify_all()

    def wait(self, *whats):
        with self.changed:
            assert self.changed.wait_for(lambda: any(what in self.heard for what in whats), WAIT_S), (whats, self.heard)

    def is_let_in(self):
        if self.refused:
            return False
        self.wait(("connected", 0), "disconnected")
        return ("connected", 0) in self.heard

    def subscribe(self, topic):
        self._do(lambda: self.client.subscribe(topic, 1))
        self.wait("subscribed")

    def publish(self, topic, payload):
        self._do(lambda: self.client.publish(topic, payload, 1)).wait_for_publish(WAIT_S)

    def close(self):
        if not self.refused:
            self.closing = True
            self.thread.join()
        with contextlib.suppress(OSError):  # one that was refused may have half a TLS session
            self.client.disconnect()


@pytest.fixture
def authority(tmp_path):
    authority = Authority(tmp_path / "authority")
    authority.run("broker", "127.0.0.1", "localhost")
    authority.run("daemon")
    return authority


@pytest.fixture
def connect(tmp_path, authority):
    """connect(pair) → Client; connect.broker is the broker, started at the first use."""
    clients = []

    def connect(pair, **options):
        if not connect.broker.alive():
            connect.broker.start()
        clients.append(Client(connect.broker, pair, **options))
        return clients[-1]

    connect.broker = Broker(tmp_path / "broker", authority)
    yield connect
    for client in clients:
        client.close()
    connect.broker.stop()


def test_a_device_speaks_for_itself_only(authority, connect):
    room, gate = authority.device("school-1/room-204"), authority.device("school-1/gate")
    other_school = authority.device("school-2/gate")
    daemon = connect(authority.folder / "daemon")
    assert daemon.is_let_in()
    daemon.subscribe("tocsin/v1/+/+/press")

    button = connect(room)
    assert button.is_let_in()
    for topic in ("tocsin/v1/school-1/gate/press", "tocsin/v1/school-2/gate/press", "tocsin/v1/school-1/state",
                  "tocsin/v1/school-1/room-204/receipt", "tocsin/v1/school-1/room-204/press/x", "press"):
        button.publish(topic, b"forged")
    button.publish("tocsin/v1/school-1/room-204/press", b"mine")
    daemon.wait(("tocsin/v1/school-1/room-204/press", b"mine"))  # in order: a forged one would have come before
    assert not [heard for heard in daemon.heard if heard[1:] == (b"forged",)]

    listeners = {name: connect(pair) for name, pair in (("own", room), ("gate", gate), ("other", other_school))}
    for listener in listeners.values():
        assert listener.is_let_in()
        listener.subscribe("#")
    daemon.publish("tocsin/v1/school-1/room-204/receipt", b"receipt")
    daemon.publish("tocsin/v1/school-1/state", b"state")
    daemon.publish("tocsin/v1/school-2/state", b"state 2")
    receipt, state = ("tocsin/v1/school-1/room-204/receipt", b"receipt"), ("tocsin/v1/school-1/state", b"state")
    listeners["own"].wait(state)
    listeners["gate"].wait(state)
    listeners["other"].wait(("tocsin/v1/school-2/state", b"state 2"))
    assert receipt in listeners["own"].heard
    assert receipt not in listeners["gate"].heard
    assert not [heard for heard in listeners["other"].heard if heard in (receipt, state)]


def test_the_supervision_connection_hears_heartbeats_only(authority, connect):
    supervision, button = connect(authority.folder / "supervision"), connect(authority.device("school-1/room-204"))
    daemon = connect(authority.folder / "daemon")
    assert supervision.is_let_in() and button.is_let_in() and daemon.is_let_in(), "two certificates, two client ids"
    supervision.subscribe("#")
    daemon.subscribe("tocsin/v1/#")
    supervision.publish("tocsin/v1/school-1/room-204/receipt", b"forged")
    supervision.publish("tocsin/v1/school-1/room-204/press", b"forged")
    supervision.publish("tocsin/v1/daemon/tocsin-daemon/loopback", b"forged")
    supervision.publish("tocsin/v1/daemon/tocsin-supervision/loopback", b"own")
    button.publish("tocsin/v1/school-1/room-204/press", b"press")
    button.publish("tocsin/v1/school-1/room-204/heartbeat", b"beat")
    button.publish("tocsin/v1/school-1/room-204/offline", b"gone")
    for word, payload in (("heartbeat", b"beat"), ("offline", b"gone")):  # in order: the press would have come before
        supervision.wait((f"tocsin/v1/school-1/room-204/{word}", payload))
        daemon.wait((f"tocsin/v1/school-1/room-204/{word}", payload))
    supervision.wait(("tocsin/v1/daemon/tocsin-supervision/loopback", b"own"))
    assert ("tocsin/v1/school-1/room-204/press", b"press") not in supervision.heard
    assert not [heard for client in (daemon, supervision, button) for heard in client.heard if heard[1:] == (b"forged",)]


def test_the_connection_of_receipts_sends_receipts_and_hears_its_own_only(authority, connect):
    receipts, button = connect(authority.folder / "receipts"), connect(authority.device("school-1/room-204"))
    daemon = connect(authority.folder / "daemon")
    assert receipts.is_let_in() and button.is_let_in() and daemon.is_let_in()
    receipts.subscribe("#")
    daemon.subscribe("tocsin/v1/#")
    button.subscribe("tocsin/v1/school-1/room-204/#")
    for word in ("press", "heartbeat", "offline"):
        receipts.publish(f"tocsin/v1/school-1/room-204/{word}", b"forged")
    receipts.publish("tocsin/v1/school-1/state", b"forged")
    receipts.publish("tocsin/v1/daemon/tocsin-daemon/loopback", b"forged")
    button.publish("tocsin/v1/school-1/room-204/press", b"press")
    daemon.wait(("tocsin/v1/school-1/room-204/press", b"press"))
    receipts.publish("tocsin/v1/school-1/room-204/receipt", b"receipt")
    receipts.publish("tocsin/v1/daemon/tocsin-receipts/receipt", b"own")
    button.wait(("tocsin/v1/school-1/room-204/receipt", b"receipt"))
    receipts.wait(("tocsin/v1/daemon/tocsin-receipts/receipt", b"own"))  # in order: all else would have come before
    messages = [heard for heard in receipts.heard if heard[0].startswith("tocsin/")]
    assert messages == [("tocsin/v1/daemon/tocsin-receipts/receipt", b"own")]
    assert not [heard for client in (daemon, button) for heard in client.heard if heard[1:] == (b"forged",)]


@pytest.mark.parametrize("name", ["supervision", "receipts"])
def test_a_certificate_of_a_connection_apart_can_be_issued_later_and_withdrawn(authority, connect, name):
    assert connect(authority.folder / name).is_let_in()
    authority.run("revoke", name)
    connect.broker.renew()
    assert not connect(authority.folder / name).is_let_in()
    authority.run("renew", name)
    assert connect(authority.folder / name).is_let_in() and connect(authority.folder / "daemon").is_let_in()


def test_strangers_are_refused(authority, connect, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    assert connect(authority.device("school-1/gate")).is_let_in()
    assert not connect(None).is_let_in(), "a client without a certificate was let in"
    assert not connect(stranger.device("school-1/gate")).is_let_in(), "another authority's certificate was let in"
    assert not connect(authority.device("school-1/room-1", at="2015-01-01 00:00:00")).is_let_in(), "an ended one was let in"


def test_a_device_trusts_only_our_broker(authority, connect, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    client = connect(authority.device("school-1/gate"), ca=stranger.folder / "ca.crt")
    assert isinstance(client.refused, ssl.SSLCertVerificationError)


def test_a_revoked_device_is_refused_from_the_next_connection(authority, connect):
    stolen = authority.device("school-1/room-204")
    assert connect(stolen).is_let_in()
    authority.run("revoke", "school-1/room-204")
    connect.broker.renew()
    assert not connect(stolen).is_let_in()
    assert connect(authority.device("school-1/gate")).is_let_in(), "the others are disturbed"
    assert connect(authority.device("school-1/room-204")).is_let_in(), "its replacement cannot connect"


def test_renewing_leaves_the_old_one_valid_until_it_is_revoked(authority, connect):
    pair = authority.device("school-1/gate")
    old = pair.with_name("old")
    for end in (".crt", ".key"):
        old.with_suffix(end).write_bytes(pair.with_suffix(end).read_bytes())
    old_serial = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", f"{old}.crt"], capture_output=True, text=True,
                                check=True).stdout.strip().removeprefix("serial=")
    authority.run("renew", "school-1/gate")
    assert connect(old).is_let_in() and connect(pair).is_let_in()
    authority.run("revoke", old_serial)
    connect.broker.renew()
    assert not connect(old).is_let_in()
    assert connect(pair).is_let_in()


def test_a_second_authority_of_the_same_name_takes_over(tmp_path, authority, connect):
    """As deploy/README.md rotates the authority: the buttons of both are let in, and the withdrawn ones of neither."""
    second = Authority(tmp_path / "second")
    connect.broker.other_authorities = [second]
    kept, stolen = [], []
    for one in (authority, second):
        kept.append(one.device(f"school-1/{one.folder.name}"))
        stolen.append(one.device("school-1/stolen"))
        one.run("revoke", "school-1/stolen")
    buttons = [connect(pair) for pair in kept]
    for button in buttons:
        assert button.is_let_in()
        button.subscribe("tocsin/v1/school-1/state")
    assert not any(connect(pair).is_let_in() for pair in stolen)
    connect(authority.folder / "daemon").publish("tocsin/v1/school-1/state", b"state")
    for button in buttons:
        button.wait(("tocsin/v1/school-1/state", b"state"))


def test_secrets_are_private_and_ends_are_foretold(authority):
    authority.device("school-1/gate")
    for key in authority.folder.rglob("*.key"):
        assert key.stat().st_mode & 0o077 == 0, f"{key} can be read by others"
    assert authority.run("due", "30").stdout == ""
    soon = authority.run("due", "740", check=False)
    assert soon.returncode == 1 and "tocsin-daemon" in soon.stdout and "school-1/gate" not in soon.stdout
    assert authority.run("init", check=False).returncode == 1, "a second authority would make every device a stranger"
    assert authority.run("device", "school-1", "a/b", check=False).returncode == 1


@pytest.mark.parametrize("site,device", [("..", "daemon"), (".", "daemon"), ("school-1", ".."), ("..", ".."), ("a b", "gate"), ("", "gate"),
                                         ("daemon", "tocsin-daemon"), ("s" * 47, "d" * 17)])
def test_no_device_gets_a_name_that_is_none_or_the_daemons(authority, site, device):
    def files():
        return {path: path.read_bytes() for path in authority.folder.rglob("*") if path.is_file()}

    before = files()
    for words in ("device", site, device), ("renew", f"{site}/{device}"):
        done = authority.run(*words, check=False)
        assert done.returncode == 1 and done.stderr.startswith("certificates: "), done.stderr
    assert files() == before


def test_the_longest_name_has_a_certificate(authority, connect):
    assert connect(authority.device(f"{'s' * 47}/{'d' * 16}")).is_let_in()


def test_hosts_that_are_none_leave_the_broker_as_it_is(authority):
    assert authority.run("broker", "broker.example", "two words", check=False).returncode == 1
    authority.run("renew", "broker")
    names = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", authority.folder / "broker.crt"], check=True,
                           capture_output=True, text=True).stdout
    assert "IP Address:127.0.0.1, DNS:localhost" in names


def test_an_authority_has_any_name_and_is_whole_or_not_there(tmp_path):
    authority = Authority(tmp_path / "authority", "海淀区 A+B/C")
    shown = subprocess.run(["openssl", "x509", "-noout", "-subject", "-nameopt", "utf8", "-in", authority.folder / "ca.crt"], check=True,
                           capture_output=True, text=True).stdout
    assert shown == "subject=CN=海淀区 A+B/C\n"
    with pytest.raises(subprocess.CalledProcessError):
        Authority(tmp_path / "long", "x" * 65)
    assert not (tmp_path / "long" / "ca.key").exists()
    authority.folder = tmp_path / "long"
    authority.run("init", "x" * 64)


def test_it_fits_beside_debians_own_configuration(tmp_path, authority):
    """mosquitto refuses some settings when they are made twice."""
    broker = Broker(tmp_path / "broker", authority)
    (tmp_path / "broker" / "conf.d").mkdir()
    debian = open("/etc/mosquitto/mosquitto.conf").read()
    debian = debian.replace("/etc/mosquitto/conf.d", str(tmp_path / "broker" / "conf.d"))
    debian = debian.replace("/var/lib/mosquitto", str(tmp_path / "broker")).replace("/var/log/mosquitto", str(tmp_path / "broker"))
    debian = debian.replace("/run/mosquitto", str(tmp_path / "broker"))
    broker.port = loopback.free_port()
    broker._write_files()
    ours = (tmp_path / "broker" / "mosquitto.conf").read_text().split("\n", 2)[2]
    (tmp_path / "broker" / "conf.d" / "tocsin.conf").write_text(ours)
    (tmp_path / "broker" / "debian.conf").write_text(f"user {pwd.getpwuid(os.geteuid()).pw_name}\n{debian}")
    broker.run(["mosquitto", "-c", tmp_path / "broker" / "debian.conf"])
    try:
        assert broker._answers(), broker.log()
    finally:
        broker.stop()
