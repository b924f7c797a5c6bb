"""The thread through everything: press → broker → daemon → disk → police and bureau → receipts → a person → closed → proof."""
import pytest

pytestmark = pytest.mark.asan


def test_one_press_from_the_button_to_the_closed_and_proven_alarm(house):
    room = house.button("school-1/room-101")
    press = room.press(kind="panic", battery=87)
    recorded = press.receipt("recorded")
    assert recorded["alarm"] == press.alarm_id

    for endpoint in (house.police, house.bureau):
        telling = endpoint.told("alarm.opened", press)
        assert telling.data["recorded"] is True
        assert telling.alarm["site"]["address"] == "1 Example Road"
        assert telling.presses[0]["zone"] == {"id": "101", "name": "Room 101"}
        assert telling.body["journal"]["size"] >= 1
    press.receipt("delivered")

    alarm = house.alarm(press)
    assert (alarm["state"], alarm["mode"], alarm["kind"], alarm["press_count"]) == ("open", "real", "panic", 1)

    for deed, stage in (("acknowledge", "acknowledged"), ("coming", "coming"), ("on-scene", "on_scene")):
        answer = house.deed(press, deed)
        assert answer.status_code == 200, answer.text
        press.receipt(stage)
        house.police.told("alarm." + stage, press)
    house.close_alarm(press, "real")
    press.receipt("closed")
    for endpoint in (house.police, house.bureau):
        assert endpoint.told("alarm.closed", press).alarm["disposition"] == "real"

    types = [event["type"] for event in house.alarm(press)["events"]]
    order = [type for type in types if type != "delivery_result"]
    assert order == ["press_received", "acknowledged", "coming", "on_scene", "closed"]
    house.wait_for(lambda: room.states and room.states[-1]["alarms"] == [], "the site's state is quiet again")


def test_the_step_that_nobody_answers_is_followed_by_the_next(house):
    press = house.button().press()
    opened = house.police.told("alarm.opened", press)
    assert house.guard.of(press) == [], "the guard was told before its step"
    told = house.guard.told("alarm.opened", press)
    assert 1800 <= told.at_ms - opened.at_ms <= 3500
    house.police.told("alarm.escalated", press)
    assert house.feed.wait("deadline_passed", alarm=press.alarm_id)["deadline"] == "answer"
    assert house.alarm(press)["step"] == 2


def test_the_tool_does_what_the_desk_does(house):
    press = house.button().press()
    press.receipt("recorded")
    assert press.alarm_id in house.tool("alarms")
    house.tool("ack", press.alarm_id)
    house.tool("coming", press.alarm_id)
    house.tool("on-scene", press.alarm_id)
    assert press.alarm_id in house.tool("show", press.alarm_id)
    house.tool("close", press.alarm_id, "--disposition", "accidental")
    assert house.alarm(press)["disposition"] == "accidental"
