"""Promise 2: whoever was told yes finds it in the journal, whatever happened in the next instruction."""
import time

import pytest

from house import SLOW_DISK

pytestmark = pytest.mark.disk


@pytest.mark.asan
def test_a_press_that_was_answered_survives_a_kill(house):
    room = house.button()
    for _ in range(10):
        press = room.press()
        press.receipt("recorded")
        house.daemon.kill()
        house.restart()
        assert press.identity in {(line["device"], line["epoch"], line["n"]) for line in house.journal("press_received")}


def test_a_receipt_waits_for_a_slow_disk(house):
    room = house.button()
    with house.inject(SLOW_DISK.format(700)):
        press = room.press()
        opened = house.police.told("alarm.opened", press)
        assert opened.data["recorded"] is False
        recorded = press.receipt("recorded")
    assert recorded["heard_at"] - press.at >= 0.65, "the receipt came before the disk had the press"


def test_a_deed_is_answered_after_the_commit(house):
    press = house.button().press()
    press.receipt("recorded")
    with house.inject(SLOW_DISK.format(700)):
        before = time.monotonic()
        assert house.deed(press, "acknowledge").status_code == 200
    assert time.monotonic() - before >= 0.65
    line = house.feed.wait("acknowledged", alarm=press.alarm_id)
    assert line["seq"] in [line["seq"] for line in house.journal("acknowledged")]


def late_puback(configuration):
    for device in configuration["sites"][0]["devices"]:
        if device["id"] == "gate":
            device["puback"] = "after_commit"


def test_a_device_that_cannot_wait_loses_nothing_to_a_kill_before_the_commit(make_house):
    """Its press is given back by the broker, because the daemon has not yet taken it over."""
    house = make_house(adjust=late_puback)
    gate = house.button("school-1/gate")
    with house.inject("pwrite64:delay_enter=10000000"):
        press = gate.press(wait=True)
        house.police.told("alarm.opened", press)  # the daemon has it, the disk has not
        assert not press.receipts()
        house.daemon.kill()
    house.restart()
    press.receipt("recorded")  # and nobody pressed again
    assert press.identity in {(line["device"], line["epoch"], line["n"]) for line in house.journal("press_received")}


def test_two_desks_at_once_one_wins_and_the_other_is_told_who(house):
    press = house.button().press()
    press.receipt("recorded")
    assert house.deed(press, "acknowledge", "desk-1").status_code == 200
    second = house.deed(press, "acknowledge", "desk-2")
    assert (second.status_code, second.json()["by"]) == (409, "desk-1"), second.text


def test_nobody_closes_what_they_have_not_seen(house):
    press = house.button("school-1/room-101").press()
    press.receipt("recorded")
    seen = house.alarm(press)["version"]
    house.button("school-1/room-102").press().receipt("recorded")
    answer = house.deed(press, "close", disposition="false", seen_version=seen)
    assert answer.status_code == 409 and answer.json()["type"] == "urn:tocsin:unseen", answer.text
    assert house.alarm(press)["state"] == "open"
