"""Heartbeats come over a connection of their own: what it hears, that nothing is heard twice, and that its troubles are told
and cost no press."""
import signal

import paho.mqtt.client as mqtt
import pytest

from house import loopback
from supervised import USER, apart, let


def wait_for_connections(house, count=2):
    house.wait_for(lambda: house.metric("tocsin_mqtt_connections") == count, f"{count} connections hear")


@pytest.fixture
def apart_house(make_house):
    house = make_house(adjust=apart)
    wait_for_connections(house)
    return house


def configure(house, adjust):
    """Another configuration counts from the next start."""
    house.stop()
    house.adjust = adjust
    house.write_configuration()
    house.restart()


def test_heartbeats_go_to_the_supervision_connection_only(make_house):
    house = make_house(start=False, adjust=apart)
    house.broker.extra = "log_type all"
    house.start()
    wait_for_connections(house)
    house.trouble("device_silent", "school-1/gate")
    gate = house.button("school-1/gate")
    gate.heartbeat(battery=80)
    house.no_trouble("device_silent", "school-1/gate")
    gate.send(b"", "offline")
    house.trouble("device_offline", "school-1/gate")
    press = gate.press()
    press.receipt("recorded")
    sent = [line for line in house.broker.log().splitlines() if "Sending PUBLISH to" in line]
    for word, user in (("heartbeat", USER), ("offline", USER), ("press", loopback.DAEMON_USER)):
        to = {line.split("Sending PUBLISH to ")[1].split()[0] for line in sent if f"/gate/{word}'" in line}
        assert to == {user}, f"{word} went to {to}"


@pytest.mark.asan
def test_nothing_is_heard_twice_when_the_mapping_comes_and_goes(make_house):
    """The broker keeps what the session of the presses had subscribed to before."""
    def heard_once(house, count):
        gate = house.button("school-1/gate")
        for _ in range(count):
            gate.heartbeat()
        gate.send(b"", "offline")  # behind them, where they belong
        house.trouble("device_offline", "school-1/gate")
        gate.press().receipt("recorded")  # behind them, where they came before
        assert house.metric("tocsin_heartbeats_total") == count
        gate.heartbeat()
        house.no_trouble("device_offline", "school-1/gate")

    house = make_house()
    heard_once(house, 3)
    configure(house, apart)
    wait_for_connections(house)
    heard_once(house, 5)
    configure(house, None)
    wait_for_connections(house, 1)
    heard_once(house, 4)


@pytest.mark.asan
def test_a_supervision_connection_that_the_broker_refuses(apart_house):
    house, room = apart_house, apart_house.button()
    password = house.broker.passwords[USER]
    let(house, USER, "another")
    told = house.trouble("broker", "supervision")
    assert "Heartbeats do not come through; presses have a connection of their own." in told["text"]
    assert house.ask("GET", "/readyz", None).status_code == 200
    press = room.press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)
    assert not house.troubles("broker", "broker")
    let(house, USER, password)
    house.no_trouble("broker", "supervision")
    house.button("school-1/gate").heartbeat()
    house.no_trouble("device_silent", "school-1/gate")


def test_a_supervision_connection_without_rights(apart_house):
    """The broker lets it in and lets it subscribe, and hands it nothing: its own messages do not come back."""
    house = apart_house
    access = house.broker.folder / "access"
    access.write_text(access.read_text().replace(f"user {USER}", "user nobody"))
    house.broker.signal(signal.SIGHUP)
    house.trouble("broker", "supervision")
    house.never(lambda: house.feed.find("trouble_cleared", code="broker", part="supervision"), "it is called good", 5)
    press = house.button().press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)
    house.broker._write_files()
    house.broker.signal(signal.SIGHUP)
    gate = house.button("school-1/gate")
    house.wait_for(lambda: gate.heartbeat() or not house.troubles("device_silent", "school-1/gate"), "heartbeats come again")
    house.no_trouble("broker", "supervision")


def test_somebody_under_the_name_of_the_supervision_connection(apart_house):
    house = apart_house
    thief = mqtt.Client(USER, clean_session=True)
    thief.username_pw_set(USER, house.broker.passwords[USER])
    thief.connect("127.0.0.1", house.broker.port)
    house.wait_for(lambda: house.feed.find("trouble_raised", code="broker", part="supervision") or thief.loop(0.01) and False,
                   "the daemon tells that it was thrown out")
    press = house.button().press()
    press.receipt("recorded")
    house.trouble("broker_session", "supervision")
    house.no_trouble("broker", "supervision")
    assert not house.feed.find("trouble_raised", part="broker")
    house.button("school-1/gate").heartbeat()
    house.no_trouble("device_silent", "school-1/gate")


def test_the_connection_of_presses_alone_is_cut(apart_house):
    house, gate = apart_house, apart_house.button("school-1/gate")
    password = house.broker.passwords[loopback.DAEMON_USER]
    let(house, loopback.DAEMON_USER, "another")
    house.trouble("broker", "broker")
    assert house.ask("GET", "/readyz", None).status_code == 503
    house.trouble("device_silent", "school-1/gate")
    gate.heartbeat()
    house.no_trouble("device_silent", "school-1/gate")
    assert not house.troubles("broker", "supervision")
    let(house, loopback.DAEMON_USER, password)
    house.no_trouble("broker", "broker")
    press = gate.press()
    press.receipt("recorded")


def test_a_broker_that_is_killed_is_told_of_both(apart_house):
    house = apart_house
    house.broker.kill()
    house.trouble("broker", "broker")
    house.trouble("broker", "supervision")
    house.broker.start()
    house.no_trouble("broker")
    wait_for_connections(house)
    house.button().press().receipt("recorded")


def test_a_trouble_does_not_outlive_the_mapping(apart_house):
    house = apart_house
    let(house, USER, "another")
    house.trouble("broker", "supervision")
    configure(house, None)
    house.no_trouble("broker", "supervision")


@pytest.mark.parametrize("broker", ["that answers", "that hangs"])
def test_both_connections_end_in_time(apart_house, broker):
    house = apart_house
    if broker == "that hangs":
        house.broker.signal(signal.SIGSTOP)
    try:
        house.stop()  # holds it to its time
    finally:
        house.broker.signal(signal.SIGCONT)
    house.restart()
    wait_for_connections(house)


def test_two_connections_under_one_name_are_not_configured(make_house):
    def same(configuration):
        apart(configuration)
        configuration["broker"]["supervision"]["client_id"] = configuration["broker"]["client_id"]

    house = make_house(start=False, adjust=same)
    house.broker.port = loopback.free_port()
    house.write_configuration()
    done = house.tool("check-config", str(house.folder / "tocsin.yaml"), connected=False, check=False)
    assert done.returncode != 0
    assert "broker.supervision.client_id: " in done.stdout + done.stderr
    assert "two connections under one client id throw each other out" in done.stdout + done.stderr
