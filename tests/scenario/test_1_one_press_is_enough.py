"""Promise 1: a press from a known device that reaches the daemon opens an alarm or joins one, whatever is odd about it."""
import json

import pytest

from house import own_alarm_id

ODD = {
    "empty": (b"", "empty"),
    "garbage": (b"\x00\xff\xfe help!", "not_json"),
    "cut": (b'{"epoch":"e1","n":', "not_json"),
    "not an object": (b"[1,2,3]", "not_json"),
    "too long": (b'{"x":"' + b"x" * 5000 + b'"}', "too_long"),
    "too deep": (b"[" * 5000 + b"]" * 5000, "too_long"),
    "deep": (b'{"x":' + b"[" * 300 + b"]" * 300 + b"}", "not_json"),
    "invalid UTF-8": (b'{"epoch":"e2","n":1,"kind":"\xc3\x28"}', "not_json"),
    "unknown kind": (b'{"epoch":"e3","n":1,"kind":"dragon"}', "unknown_kind"),
    "kind of a wrong type": (b'{"epoch":"e4","n":1,"kind":7}', "bad_field"),
    "no identity": (b'{"kind":"panic"}', "no_identity"),
    "epoch of a wrong type": (b'{"epoch":{},"n":1}', "bad_field"),
    "negative n": (b'{"epoch":"e5","n":-1}', "bad_field"),
    "huge n": (b'{"epoch":"e6","n":18446744073709551616}', None),
    "n as 1e400": (b'{"epoch":"e7","n":1e400}', None),
    "extra field": (b'{"epoch":"e8","n":1,"weather":"rain"}', "extra_field"),
    "a key twice": (b'{"epoch":"e9","n":1,"n":2}', "duplicate_key"),
    "clock of 1970": (b'{"epoch":"e10","n":1,"at":"1970-01-01T00:01:00Z"}', "clock_skew"),
    "clock of 2106": (b'{"epoch":"e11","n":1,"at":"2106-02-07T06:28:16Z"}', "clock_skew"),
    "at is no time": (b'{"epoch":"e12","n":1,"at":"now"}', "bad_field"),
    "battery of 900": (b'{"epoch":"e13","n":1,"battery":900}', "bad_field"),
    "markup": ('{"epoch":"e14","n":1,"kind":"<script>alert(1)</script>\u202e"}'.encode(), "unknown_kind"),
}


@pytest.mark.asan
@pytest.mark.parametrize("name", ODD)
def test_an_odd_press_alarms_and_what_was_odd_is_recorded(odd_house, name):
    house, room = odd_house
    payload, odd = ODD[name]
    before = len(house.feed.find("press_received"))
    room.send(payload)
    house.wait_for(lambda: len(house.feed.find("press_received")) > before, "the press is recorded")
    line = house.feed.find("press_received")[before]
    assert odd is None and line["odd"] or odd in line["odd"], line
    identity = (line["device"], line["epoch"], line["n"])
    for endpoint in (house.police, house.bureau):
        house.wait_for(lambda: identity in endpoint.identities(line["alarm"]), f"{endpoint.name} is told")
    assert house.alarm(line["alarm"])["mode"] == "real"


@pytest.fixture(scope="module")
def odd_house(tmp_path_factory):
    from house import House
    with House(tmp_path_factory.mktemp("odd")) as house:
        yield house, house.button()
        house.check()


def test_a_press_without_guaranteed_delivery_alarms(house):
    press = house.button().press(qos=0)
    press.receipt("recorded")
    assert "qos0" in house.feed.wait("press_received", alarm=press.alarm_id)["odd"]
    house.police.told("alarm.opened", press)


def test_a_repeated_press_is_one_press_and_is_answered_again(house):
    room = house.button()
    press = room.press()
    press.receipt("delivered")
    answers = len(press.receipts())
    room.again(press)
    house.wait_for(lambda: len(press.receipts()) > answers, "it is answered again")
    assert house.alarm(press)["press_count"] == 1


def test_a_second_press_joins_and_names_the_new_place(house):
    first = house.button("school-1/room-101").press()
    first.receipt("recorded")
    second = house.button("school-1/room-102").press()
    assert second.receipt("recorded")["alarm"] == first.alarm_id
    told = house.police.told("alarm.joined", first)
    assert told.presses[0]["zone"]["name"] == "Room 102"


def test_a_graver_kind_raises_the_alarm(house):
    press = house.button().press(kind="panic")
    press.receipt("recorded")
    house.button("school-1/room-102").press(kind="attack").receipt("recorded")
    assert house.police.told("alarm.raised", press).alarm["kind"] == "attack"


def test_fire_and_panic_are_two_cases(house):
    room = house.button()
    panic, fire = room.press(kind="panic"), room.press(kind="fire")
    assert panic.receipt("recorded")["alarm"] != fire.receipt("recorded")["alarm"]
    assert house.alarm(fire)["class"] == "fire"


def test_sixty_rooms_are_one_case_with_sixty_places(make_house):
    rooms = [f"room-{number}" for number in range(60)]
    house = make_house(devices=rooms)
    buttons = [house.button(f"school-1/{room}") for room in rooms]
    presses = [button.press() for button in buttons]
    for press in presses:
        press.receipt("recorded")
    assert {press.alarm_id for press in presses} == {presses[0].alarm_id}
    for endpoint in (house.police, house.bureau):
        house.wait_for(lambda: {press.identity for press in presses} <= endpoint.identities(presses[0]),
                       f"{endpoint.name} knows all sixty")
        assert len(endpoint.of(presses[0], "alarm.opened")) == 1
        assert len({telling.id for telling in endpoint.of(presses[0])}) <= 15, "followers were not gathered"


def test_a_press_after_the_close_opens_a_new_alarm(house):
    room = house.button()
    first = room.press()
    first.receipt("recorded")
    house.close_alarm(first)
    second = room.press()
    assert second.receipt("recorded")["alarm"] != first.alarm_id
    house.police.told("alarm.opened", second)


def test_the_alarms_id_can_be_worked_out_from_the_press(house):
    press = house.button().press()
    assert press.receipt("recorded")["alarm"] == own_alarm_id("school-1", *press.identity)


def test_nothing_that_is_no_press_disturbs(house):
    room = house.button()
    for word in ("heartbeat", "offline"):
        for payload in (b"", b"\xff" * 3000, b"[" * 3000, json.dumps({"battery": "x"}).encode()):
            room.send(payload, word)
    press = room.press()
    press.receipt("recorded")
    assert house.alarm(press)["press_count"] == 1
