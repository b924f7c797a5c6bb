"""Brokers, networks and visitors that misbehave: thousands that come at once, resets without end, somebody under our name,
addresses that lead nowhere."""
import socket
import struct
import sys

import paho.mqtt.client as mqtt
import pytest

from house import PATIENCE_S, ROOT, loopback

sys.path.insert(0, str(ROOT / "tests" / "hell"))
from relay import Relay  # noqa: E402


def text(words):
    return struct.pack("!H", len(words)) + words.encode()


def connect_packet(user, password, client, will_topic):
    """MQTT 3.1.1 CONNECT with a will (section 3.1)."""
    body = text("MQTT") + bytes([4, 0b11000110 | 1 << 3]) + struct.pack("!H", 60)
    body += text(client) + text(will_topic) + text("gone") + text(user) + text(password)
    assert len(body) < 128 * 128
    return bytes([0x10, len(body) % 128 | 128, len(body) // 128]) + body


def crowd(house, device, size):
    """So many connections of one device at the broker, with a will to say "offline", as plain sockets."""
    sockets = []
    for number in range(size):
        one = socket.create_connection(("127.0.0.1", house.broker.port), PATIENCE_S)
        one.sendall(connect_packet(device, house.broker.passwords[device], f"crowd-{number}", f"tocsin/v1/{device}/offline"))
        sockets.append(one)
    return sockets


def test_a_crowd_that_comes_and_dies_at_once_hides_no_press(house):
    """Eight hundred buttons find the broker again together, and lose it together, each with its last will."""
    room = house.button()
    visitors = crowd(house, "school-1/gate", 800)
    press = room.press()
    house.police.told("alarm.opened", press)
    press.receipt("recorded")
    for visitor in visitors:
        visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        visitor.close()
    second = room.press(kind="fire")
    second.receipt("recorded")
    house.police.told("alarm.opened", second)
    house.trouble("device_offline", "school-1/gate")
    assert {alarm["id"] for alarm in house.api("alarms")["alarms"]} == {press.alarm_id, second.alarm_id}
    assert len(house.journal("trouble_raised")) < 20, "one fact, written down hundreds of times"


@pytest.fixture
def relayed_house(make_house):
    """A house whose daemon speaks to its broker through a relay; buttons do not."""
    house = make_house(start=False)
    house.broker.start()
    with Relay(("127.0.0.1", house.broker.port)) as relay:
        def through_the_relay(configuration):
            configuration["broker"]["port"] = relay.port
        house.adjust = through_the_relay
        house.start()
        yield house, relay
        relay.set()
        house.no_trouble("broker", timeout_s=40)
        house.stop()
        house.restart()


def test_resets_without_end(relayed_house):
    """Each connection to the broker is reset moments after it came about, forty times; then a press gets through."""
    house, relay = relayed_house
    room = house.button()
    early = room.press()
    for _ in range(40):
        relay.drop(reset=True)
        house.never(lambda: not house.daemon.alive(), "the daemon dies", 0.1)
    house.wait_for(lambda: early.receipts("recorded") or room.again(early) or house.closing.wait(0.5), "it is heard again", 60)
    press = room.press(kind="fire")
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


def test_a_cable_that_is_pulled(relayed_house):
    """No FIN, no RST, nothing: seen within 20 s; what was pressed meanwhile counts when the cable is back."""
    house, relay = relayed_house
    room = house.button()
    relay.set(hole=1)
    press = room.press(wait=True)
    house.trouble("broker")
    assert house.ask("GET", "/readyz", None).status_code == 503
    relay.set()
    press.receipt("recorded", timeout_s=40)
    house.police.told("alarm.opened", press)


def test_somebody_under_our_name_at_the_broker(house):
    """The broker lets the newcomer in and throws us out, as MQTT has it: we come back, and hear every press again."""
    room = house.button()
    for _ in range(3):
        disconnected = house.broker.log().count("already connected, closing old connection")
        thief = mqtt.Client(loopback.DAEMON_USER, clean_session=True)
        thief.username_pw_set(loopback.DAEMON_USER, house.broker.passwords[loopback.DAEMON_USER])
        thief.connect("127.0.0.1", house.broker.port)
        house.wait_for(lambda: house.broker.log().count("already connected, closing old connection") > disconnected or
                       thief.loop(0.01), "one of us is thrown out")
        if left := thief.socket():  # none when the daemon was back already and threw the thief out in its turn
            left.close()
    house.trouble("broker_session")  # presses may have been lost with the session that the thief threw away
    house.no_trouble("broker")
    press = room.press()
    while not press.receipts("recorded"):
        with house.changed:
            if not house.changed.wait_for(press.receipts, 1):
                room.again(press)
        assert not house.closing.is_set()
    house.police.told("alarm.opened", press)


def test_a_broker_that_keeps_nothing_is_told(make_house):
    house = make_house(start=False)
    house.broker.extra = "retain_available false"
    house.start()
    assert "keeps no retained messages" in house.trouble("broker", "retained")["text"]
    house.button().press().receipt("recorded")
    house.broker.kill()
    house.broker.extra = ""
    house.broker.start()
    house.no_trouble("broker", "retained")


PATHS = ["/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/....//....//etc/passwd", "/api/v1/alarms/..%2f..%2fjournal.key",
         "/api/v1/alarms/%00", "/api/v1/alarms/a%0d%0aX-Evil:%20yes", "/api/v1/alarms/' OR 1=1 --",
         "/api/v1/alarms/aaaa%27%3BDROP%20TABLE%20lines%3B--", "/api/v1/alarms/%ff%fe", "/api/v1/alarms/" + "a" * 3000,
         "/api/v1/alarms?site=' OR '1'='1", "/api/v1/alarms?limit=99999999999999999999", "/api/v1/alarms?limit=-1",
         "/api/v1/journal?from=1;DROP TABLE lines", "/api/v1/journal?from=0x10", "/api/v1/journal/proof?seq=1e3",
         "/api/v1/alarms?" + "&".join(f"a{number}=b" for number in range(100)), "/API/V1/ALARMS", "//api//v1//alarms",
         "/api/v1/alarms/\x1b[2J"]


def beside_deliveries(house):
    """What is recorded, without what the endpoints answer, whenever that comes."""
    return [line for line in house.journal() if line["type"] != "delivery_result"]


@pytest.mark.asan
def test_paths_that_lead_elsewhere(house):
    """Each is answered with a problem, none with a file, a row too many or a header of the visitor's making."""
    house.button().press().receipt("recorded")
    recorded = beside_deliveries(house)
    port = int(house.daemon.url.rsplit(":", 1)[1])
    for path in PATHS:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as visitor:
            request = f"GET {path.replace(' ', '%20')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.token('admin')}\r\n" \
                      "Connection: close\r\n\r\n"
            visitor.sendall(request.encode("latin-1"))
            answer = b""
            while piece := visitor.recv(65536):
                answer += piece
        head = answer.split(b"\r\n\r\n")[0].lower()
        assert head.split(b" ")[1:2] and 400 <= int(head.split(b" ")[1]) < 500 or b'"alarms":[]' in answer, (path, answer[:300])
        assert b"x-evil:" not in head and b"root:" not in answer and b"\x1b" not in answer, (path, answer[:300])
    assert "\x1b" not in house.daemon.log()
    assert beside_deliveries(house) == recorded
    house.button("school-1/gate").press().receipt("recorded")


def test_a_broker_that_has_a_name_is_warned_of(make_house):
    """T9: the daemon is there all the same, and says what a name costs."""
    def named(configuration):
        configuration["broker"]["address"] = "broker.invalid"

    house = make_house(adjust=named, start=False)
    house.broker.port = loopback.free_port()
    house.write_configuration()
    house.daemon.start(ready=False)
    assert "broker.address is the name broker.invalid" in house.daemon.log()
    house.feed_follow()
    house.trouble("broker")
