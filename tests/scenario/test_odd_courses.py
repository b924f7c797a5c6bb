"""Presses that come late, out of order, from a counter that was set back, again and again, or thousands at a time."""
import datetime
import json

import pytest

from house import House

REFUSED_PER_S = 50  # what the record keeps of a flood, as daemon/engine_intake.c has it


def at(seconds_ago):
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(scope="module")
def late_house(tmp_path_factory):
    with House(tmp_path_factory.mktemp("late")) as house:
        yield house
        house.check()


@pytest.mark.parametrize("late_s", [60, 3600, 3 * 86400])
@pytest.mark.parametrize("device", ["room-101", "signed"])
def test_a_press_that_was_held_up_alarms_and_says_so(late_house, device, late_s):
    """Somebody pressed, and the network was down: late help is help."""
    button = late_house.button(f"school-1/{device}")
    press = button.press(at=at(late_s), kind="fire")
    press.receipt("recorded")
    line = late_house.feed.wait("press_received", alarm=press.alarm_id, device=device, epoch=button.epoch, n=press.n)
    assert ("clock_skew" in line.get("odd", [])) == (late_s > 300), line
    late_house.wait_for(lambda: press.identity in late_house.police.identities(press), "the police are told")
    told = next(one for telling in late_house.police.of(press) for one in telling.presses if one["epoch"] == button.epoch)
    assert ("clock_skew" in told.get("odd", [])) == (late_s > 300), "the police are not told that it is late"
    late_house.close_alarm(press)


@pytest.mark.parametrize("device", ["room-101", "signed"])
def test_a_cancel_that_overtakes_its_press_silences_nothing(house, device):
    button = house.button(f"school-1/{device}")
    button.press(n=8, kind="cancel")
    house.feed.wait("press_refused", refusal="nothing_to_cancel", device=device)
    press = button.press(n=7)
    press.receipt("recorded")
    house.police.told("alarm.opened", press)
    assert house.alarm(press)["state"] == "open"


def test_later_presses_that_come_first_are_counted_in_any_order(house):
    room = house.button()
    presses = [room.press(n=n) for n in (40, 7, 39, 41, 8)]
    for press in presses:
        press.receipt("recorded")
    assert house.alarm(presses[0])["press_count"] == 5
    house.wait_for(lambda: {press.identity for press in presses} <= house.police.identities(presses[0]), "all are told")


def test_a_counter_that_went_back_alarms_and_says_so(house):
    """A button that was flashed anew and kept its epoch: its press is another one, not a repetition."""
    room = house.button()
    before = room.press(n=500)
    before.receipt("recorded")
    house.close_alarm(before)
    press = room.press(n=3)
    assert press.receipt("recorded")["alarm"] != before.alarm_id
    assert "counter_back" in house.feed.wait("press_received", alarm=press.alarm_id)["odd"]
    assert "counter_back" in house.police.told("alarm.opened", press).presses[0]["odd"]
    again = room.press(n=4)  # it counts on from there
    again.receipt("recorded")
    assert "counter_back" not in house.feed.wait("press_received", alarm=press.alarm_id, n=4).get("odd", [])


def test_who_replays_again_and_again_is_suspect(house):
    signed = house.button("school-1/signed")
    captured = {"epoch": signed.epoch, "n": 3}
    captured["sig"] = signed.sign(captured)
    first = signed.press(n=100)
    first.receipt("recorded")
    house.close_alarm(first)
    for count in range(1, 4):
        signed.send(json.dumps(captured).encode())
        house.wait_for(lambda: len(house.feed.find("press_refused", refusal="replayed")) == count, "it is refused")
    house.trouble("device_suspect", "school-1/signed")
    press = signed.press()  # and is believed when it speaks for itself
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


@pytest.mark.asan
def test_a_flood_from_one_button_is_one_case_and_delays_nobody(make_house):
    house = make_house(sites=("school-1", "school-2"))
    mad, calm = house.button("school-1/room-101"), house.button("school-2/room-101")
    flood = [mad.press() for _ in range(1500)]
    press = calm.press()
    flood[0].receipt("recorded")
    house.police.told("alarm.opened", press)
    press.receipt("recorded")
    house.wait_for(lambda: flood[-1].receipts("recorded"), "the last is recorded", 60)
    alarm = house.alarm(flood[0])
    assert {one["id"] for one in house.api("alarms")["alarms"]} == {alarm["id"], press.alarm_id}
    assert alarm["press_count"] == len(flood)
    tellings = {telling.id for telling in house.police.of(alarm)}
    assert len(tellings) <= len(flood) / 20, "a telling for each press is a flood of its own"


def test_a_flood_of_forgeries_fills_no_disk_and_hides_no_press(house):
    signed, room = house.button("school-1/signed"), house.button("school-1/room-101")
    for n in range(1500):
        signed.send(json.dumps({"epoch": "forged", "n": n, "sig": "A" * 43 + "="}).encode())
    press = room.press()
    house.police.told("alarm.opened", press)
    press.receipt("recorded")
    signed.press().receipt("recorded")  # in order behind the forgeries
    house.wait_for(lambda: signed.press(sig="") and "counted and not recorded" in house.daemon.log(), "the log counts them")
    refused = house.journal("press_refused")
    assert REFUSED_PER_S <= len(refused) < 750, f"{len(refused)} of 1500 forgeries were recorded"
    assert house.alarm(press)["press_count"] == 2
