"""The software button, POST /api/v1/presses: a press like every other, with an answer in the place of a receipt."""
import threading

import pytest

from house import SLOW_DISK

PRESS = {"epoch": "w1", "n": 1, "kind": "panic"}


@pytest.fixture
def school(make_house):
    """A house whose account "viewer" is a teacher with a phone."""
    def adjust(main):
        main["daemon"]["test_close_s"] = 5
        main["sites"][0]["devices"].append({"id": "phone", "zone": "101", "silent_after_s": 1})
        next(account for account in main["accounts"] if account["id"] == "viewer")["device"] = "school-1/phone"
    return make_house(adjust=adjust)


def press(house, body=PRESS, account="viewer"):
    return house.ask("POST", "/api/v1/presses", account, json=body)


def opened(house):
    return [line for line in house.journal("press_received") if line["device"] == "phone"]


def test_a_press_reaches_the_endpoints_and_hears_where_it_stands(school):
    answer = press(school)
    assert answer.status_code == 200 and answer.json()["stage"] == "recorded", answer.text
    alarm = answer.json()["alarm"]
    for endpoint in (school.police, school.bureau):
        told = endpoint.told("alarm.opened", alarm)
        assert told.data["alarm"]["site"]["id"] == "school-1" and told.data["presses"][0]["zone"]["name"] == "Room 101"
    assert school.deed(alarm, "coming").status_code == 200
    again = press(school).json()
    assert (again["alarm"], again["stage"]) == (alarm, "coming")
    assert len(opened(school)) == 1
    assert not school.troubles("device_silent"), "a phone says nothing between presses"
    school.close_alarm(alarm)


def test_a_test_press_reaches_no_police(school):
    alarm = press(school, {**PRESS, "test": True}).json()["alarm"]
    assert school.alarm(alarm)["mode"] == "test"
    school.wait_for(lambda: school.alarm(alarm)["state"] == "closed", "a test closes itself")
    assert not school.police.tellings


def test_who_has_no_device_is_refused_and_recorded(school):
    assert press(school, account="desk-1").status_code == 403
    school.wait_for(lambda: [line for line in school.journal("action_refused") if line["by"] == "desk-1"], "it is recorded")
    assert not opened(school)


def test_killed_between_the_press_and_its_answer(school):
    """The disk is slow: the alarm is out, nobody was told yes, and the daemon dies. The repetition is the same alarm."""
    answers = []

    def ask():
        try:
            answers.append(press(school))
        except OSError:
            pass  # the daemon died

    with school.inject(SLOW_DISK.format(4000)):
        asking = threading.Thread(target=ask)
        asking.start()
        school.wait_for(lambda: school.police.tellings, "the police were told")
        school.daemon.kill()
        asking.join()
    assert not [answer for answer in answers if answer.status_code == 200], "a yes without a commit"
    school.restart()
    answer = press(school)
    assert answer.status_code == 200, answer.text
    alarm = answer.json()["alarm"]
    assert {telling.data["alarm"]["id"] for telling in school.police.tellings} == {alarm}
    assert press(school).json()["alarm"] == alarm and len(opened(school)) == 1
