"""Promise 5: what is no real alarm never reaches the police as one, and the desk sees it for what it is; a real press
during a drill is a real alarm."""
import datetime
import json

import pytest

WATCH_S = 1.5  # how long "never" is watched: the telling of an alarm takes milliseconds


def at(seconds_ago):
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_for_the_desk_only(house, press, refusal):
    line = house.feed.wait("press_refused", refusal=refusal, device=press.button.device)
    assert line in house.refused()
    house.never(lambda: any(endpoint.of(press) for endpoint in house.endpoints), "somebody is alarmed", WATCH_S)
    assert house.api("alarms", state="all")["alarms"] == []


@pytest.mark.asan
@pytest.mark.parametrize("forgery, refusal", [({"sig": None}, "no_signature"), ({"sig": ""}, "bad_signature"),
                                              ({"sig": "A" * 43 + "="}, "bad_signature"), ({"sig": 7}, "bad_signature")])
def test_a_forged_press_is_for_the_desk_only(house, forgery, refusal):
    signed = house.button("school-1/signed")
    payload = {"epoch": signed.epoch, "n": 1, **{name: value for name, value in forgery.items() if value is not None}}
    signed.send(json.dumps(payload).encode())
    line = house.feed.wait("press_refused", device="signed")
    assert line["refusal"] in (refusal, "no_signature")
    house.never(lambda: any(endpoint.tellings for endpoint in house.endpoints), "somebody is alarmed", WATCH_S)
    assert [refused["seq"] for refused in house.refused()] == [line["seq"]]


def test_a_signature_of_one_press_is_none_for_another(house):
    signed = house.button("school-1/signed")
    signed.press(n=1, kind="panic").receipt("recorded")
    stolen = signed.sign({"epoch": signed.epoch, "n": 1, "kind": "panic"})
    signed.press(n=2, kind="panic", sig=stolen)
    signed.press(n=1, kind="fire", sig=stolen)
    signed.press(n=3, kind="panic", sig=stolen)
    house.wait_for(lambda: len(house.feed.find("press_refused", refusal="bad_signature")) == 3, "all are refused")
    house.trouble("device_suspect", "school-1/signed")


def test_a_signed_press_alarms(house):
    press = house.button("school-1/signed").press(kind="attack", at=at(0))
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


def test_a_replayed_old_press_is_for_the_desk_only(house):
    """Captured, kept back and sent again long after newer ones: its signature is good, its counter is not."""
    signed = house.button("school-1/signed")
    captured = {"epoch": signed.epoch, "n": 3}
    captured["sig"] = signed.sign(captured)
    first = signed.press(n=100)
    first.receipt("recorded")
    house.close_alarm(first)
    house.police.told("alarm.closed", first)
    signed.send(json.dumps(captured).encode())
    house.feed.wait("press_refused", refusal="replayed")
    house.never(lambda: house.api("alarms")["alarms"], "an alarm opens", WATCH_S)


def test_a_press_of_an_epoch_long_left_is_for_the_desk_only(house):
    """Captured, and sent again after the button has lost its storage some times: what it said then is forgotten."""
    signed = house.button("school-1/signed")
    captured = signed.press(n=1, epoch="e0", at=at(3600))
    for epoch in range(1, 7):
        press = signed.press(n=1, epoch=f"e{epoch}")
        press.receipt("recorded")
        house.close_alarm(press)
    signed.again(captured)
    house.feed.wait("press_refused", refusal="replayed")
    house.never(lambda: house.api("alarms")["alarms"], "an alarm opens", WATCH_S)


def test_a_press_that_was_overtaken_by_the_next_joins_its_alarm(house):
    """Its first sending was lost; repeated by the button it comes after the following one."""
    signed = house.button("school-1/signed")
    second = signed.press(n=2)
    second.receipt("recorded")
    assert signed.press(n=1).receipt("recorded")["alarm"] == second.alarm_id


def test_the_last_press_replayed_after_the_close_opens_nothing(house):
    room = house.button()
    press = room.press()
    press.receipt("recorded")
    house.close_alarm(press)
    room.again(press)
    house.wait_for(lambda: len(press.receipts("recorded")) > 1 or len(press.receipts("closed")) > 1, "it is answered again")
    house.never(lambda: house.api("alarms")["alarms"], "an alarm opens", WATCH_S)


def test_an_unknown_device_is_for_the_desk_only(make_house):
    def forget(configuration):
        devices = configuration["sites"][0]["devices"]
        devices[:] = [device for device in devices if device["id"] != "gate"]
    house = make_house(adjust=forget)
    is_for_the_desk_only(house, house.button("school-1/gate").press(), "unknown_device")


def test_a_lost_or_stolen_device_is_for_the_desk_only(make_house):
    def disable(configuration):
        next(one for one in configuration["sites"][0]["devices"] if one["id"] == "gate")["disabled"] = True
    house = make_house(adjust=disable)
    is_for_the_desk_only(house, house.button("school-1/gate").press(), "device_disabled")


def test_retained_and_stale_is_for_the_desk_only(make_house):
    house = make_house(start=False)
    house.broker.start()
    press = house.button().press(retain=True, at=at(3600), wait=True)
    house.start()
    is_for_the_desk_only(house, press, "stale_retained")


def test_retained_without_a_time_is_for_the_desk_only(make_house):
    house = make_house(start=False)
    house.broker.start()
    press = house.button().press(retain=True, wait=True)
    house.start()
    is_for_the_desk_only(house, press, "stale_retained")


def test_retained_and_fresh_is_a_labelled_alarm_and_only_once(make_house):
    house = make_house(start=False)
    house.broker.start()
    press = house.button().press(retain=True, at=at(5), wait=True)
    house.start()
    press.receipt("recorded")
    assert "retained" in house.feed.wait("press_received", alarm=press.alarm_id)["odd"]
    house.police.told("alarm.opened", press)
    house.close_alarm(press)
    house.police.told("alarm.closed", press)
    house.stop()
    house.restart()  # the broker sends what it retains again
    house.never(lambda: house.api("alarms")["alarms"], "the retained press alarms a second time", WATCH_S)


@pytest.mark.parametrize("mode", ["test", "drill"])
def test_a_test_or_drill_reaches_only_who_asked_for_it(make_house, mode):
    def asks(configuration):
        configuration["endpoints"][1][mode + "s"] = True
    house = make_house(adjust=asks)
    press = house.button().press(**{mode: True})
    assert house.bureau.told("alarm.opened", press).alarm["mode"] == mode
    assert house.alarm(press)["mode"] == mode
    house.never(lambda: house.police.of(press) or house.guard.of(press), "the police hear of it", 5)


def test_a_real_press_during_a_drill_is_a_real_alarm(house):
    drill = house.button("school-1/room-101").press(drill=True)
    drill.receipt("recorded")
    real = house.button("school-1/room-102").press()
    assert real.receipt("recorded")["alarm"] != drill.alarm_id
    assert house.police.told("alarm.opened", real).alarm["mode"] == "real"
    assert not house.police.of(drill)


def test_test_wins_over_drill_and_words_that_are_no_booleans_are_real(house):
    both = house.button("school-1/room-101").press(test=True, drill=True)
    both.receipt("recorded")
    assert house.alarm(both)["mode"] == "test"
    odd = house.button("school-1/room-102").press(test="yes")
    odd.receipt("recorded")
    assert house.police.told("alarm.opened", odd).alarm["mode"] == "real", "a press that is not clearly a test is real"


def test_a_test_closes_itself(make_house):
    def soon(configuration):
        configuration["daemon"]["test_close_s"] = 5
    house = make_house(adjust=soon)
    press = house.button().press(test=True)
    press.receipt("recorded")
    press.receipt("closed")


def test_cancel_closes_nothing_and_opens_nothing(house):
    room = house.button()
    alone = room.press(kind="cancel")
    is_for_the_desk_only(house, alone, "nothing_to_cancel")
    press = room.press()
    press.receipt("recorded")
    room.press(kind="cancel")
    alarm = house.alarm_when(press, lambda alarm: alarm.get("cancels") == 1, "the wish to cancel is shown")
    assert alarm["state"] == "open"
    house.guard.told("alarm.opened", press)  # and the plan goes on


def test_a_telling_can_be_told_from_a_forged_one(house):
    press = house.button().press()
    assert house.police.told("alarm.opened", press).problem is None, "the signature fits"
