"""Receipts go out over a connection of their own: which way they take, and that its troubles are told and cost no press and
no receipt."""
import signal

import pytest

from house import loopback
from supervised import let, receipts_apart

USER = loopback.RECEIPTS_USER


def wait_until_apart(house, apart=1):
    house.wait_for(lambda: house.metric("tocsin_mqtt_receipts_apart") == apart, f"receipts_apart is {apart}")


@pytest.fixture
def apart_house(make_house):
    house = make_house(adjust=receipts_apart)
    wait_until_apart(house)
    return house


def change_rights(house, change):
    access = house.broker.folder / "access"
    access.write_text(change(access.read_text()))
    house.broker.signal(signal.SIGHUP)


@pytest.mark.asan
def test_recorded_goes_apart_and_later_stages_with_the_presses(make_house):
    house = make_house(start=False, adjust=receipts_apart)
    house.broker.extra = "log_type all"
    house.start()
    wait_until_apart(house)
    press = house.button().press()
    press.receipt("recorded")
    press.receipt("delivered")
    came = [line.split("Received PUBLISH from ")[1] for line in house.broker.log().splitlines()
            if "Received PUBLISH from " in line and f"'{press.button.topic('receipt')}'" in line]
    by = {qos: {line.split()[0] for line in came if f", q{qos}," in line} for qos in (0, 1)}
    assert by == {0: {USER}, 1: {loopback.DAEMON_USER}}


def test_a_wrong_password_is_told_and_costs_nothing(apart_house):
    house = apart_house
    right = house.broker.passwords[USER]
    house.broker.kill()
    house.broker.passwords[USER] = "another"
    house.broker.start()
    assert "it refuses us" in house.trouble("broker", "receipts")["text"]
    press = house.button().press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)
    assert house.ask("GET", "/readyz", None).status_code == 200
    let(house, USER, right)
    house.no_trouble("broker", "receipts")
    wait_until_apart(house)
    house.button().press().receipt("recorded")


def test_a_right_taken_away_is_noticed_by_itself(apart_house):
    """The broker drops a message of QoS 0 that it does not allow, and says nothing."""
    house = apart_house
    change_rights(house, lambda text: text.replace(f"user {USER}", "user nobody"))
    assert "the access list must let" in house.trouble("broker", "receipts")["text"]
    house.button().press().receipt("recorded")
    house.broker._write_files()
    house.broker.signal(signal.SIGHUP)
    house.no_trouble("broker", "receipts")
    house.button().press().receipt("recorded")


@pytest.mark.asan
def test_the_broker_dies_in_a_storm(apart_house):
    """Every press is answered in the end, one way or the other: buttons repeat what was not answered."""
    house = apart_house
    buttons = [house.button(name) for name in ("school-1/room-101", "school-1/gate")]
    presses = [button.press() for _ in range(50) for button in buttons]
    house.broker.kill()
    house.broker.start()
    wait_until_apart(house, 0)
    wait_until_apart(house)
    for press in presses:
        if not press.receipts():
            press.button.again(press)
    for press in presses:
        house.wait_for(press.receipts, f"press {press.n} of {press.button.name} is answered")


def test_no_mapping_any_more_no_trouble_any_more(apart_house):
    house = apart_house
    let(house, USER, "another")
    house.broker.kill()
    house.broker.start()
    house.trouble("broker", "receipts")
    house.stop()
    house.adjust = lambda configuration: None
    house.write_configuration()
    house.restart()
    house.no_trouble("broker", "receipts")
    house.button().press().receipt("recorded")
