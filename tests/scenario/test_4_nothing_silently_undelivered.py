"""Promise 4: every target of every alarm is always in a named state that the desk can see, and is retried until it is
received or the alarm is closed."""
import threading
import time

import pytest

from house import Endpoint


def delivery(house, press, endpoint):
    return next(one for one in house.alarm(press)["deliveries"] if one["endpoint"] == endpoint)


def state(house, press, endpoint, wanted):
    return house.wait_for(lambda: (lambda one: one["state"] == wanted and one)(delivery(house, press, endpoint)),
                          f"the delivery to {endpoint} is {wanted}")


def test_each_state_has_its_name(make_house):
    def echo(configuration):
        configuration["endpoints"][1]["confirm"] = "echo"
    house = make_house(adjust=echo)
    house.police.behaviour = house.police.refusing
    house.bureau.behaviour = lambda _telling, _connection: (200, {"page": "please log in"})
    press = house.button().press()
    press.receipt("recorded")
    state(house, press, "police", "refused")
    state(house, press, "bureau", "unconfirmed")
    assert delivery(house, press, "guard")["state"] == "waiting"
    house.guard.behaviour = house.guard.failing
    failing = state(house, press, "guard", "failing")
    assert failing["http_status"] == 503
    house.bureau.behaviour = house.bureau.receiving
    state(house, press, "bureau", "received")


@pytest.mark.asan
def test_an_endpoint_that_was_down_for_the_whole_plan_is_told_when_it_is_back(house):
    house.police.down()
    press = house.button().press()
    house.bureau.told("alarm.opened", press)
    press.receipt("delivered")
    house.guard.told("alarm.opened", press)
    house.trouble("plan_exhausted")
    assert delivery(house, press, "police")["state"] == "failing"
    house.police.up()
    house.wait_for(lambda: press.identity in house.police.identities(press), "the police are told at last", 40)
    state(house, press, "police", "received")


def test_one_that_never_answers_delays_no_other(house):
    house.police.behaviour, house.police.answers_probes = house.police.silent, False
    press = house.button().press()
    assert house.bureau.told("alarm.opened", press).at_ms - press.at_ms < 1000
    failing = house.feed.wait("delivery_result", alarm=press.alarm_id, endpoint="police")
    assert failing["outcome"] == "failed"
    assert failing["ms"] <= 5600, "an attempt ends within 5.5 s"


def test_tries_again_at_once_and_then_with_patience(house):
    house.police.behaviour = house.police.failing
    press = house.button().press()
    house.wait_for(lambda: len(house.police.of(press, "alarm.opened")) >= 3, "it is tried three times")
    first, second, third = house.police.of(press, "alarm.opened")[:3]
    assert first.id == second.id == third.id and first.raw == second.raw == third.raw
    assert second.at_ms - first.at_ms <= 1500
    assert 500 <= third.at_ms - second.at_ms <= 3000


def test_a_redirect_is_not_followed(house):
    def redirect(_telling, connection):
        connection.reply(302, {}, [("Location", house.guard.url)])
    house.police.behaviour = redirect
    press = house.button().press()
    result = house.feed.wait("delivery_result", alarm=press.alarm_id, endpoint="police")
    assert (result["outcome"], result["status"]) == ("failed", 302)
    assert not house.guard.of(press, "alarm.opened")


def test_a_persons_word_is_no_machines_receipt(house):
    """Acknowledged by the desk while the bureau's machine is dead: the bureau is still owed, and told."""
    house.bureau.down()
    press = house.button().press()
    press.receipt("recorded")
    assert house.deed(press, "acknowledge").status_code == 200
    assert delivery(house, press, "bureau")["state"] != "received"
    house.bureau.up()
    house.wait_for(lambda: press.identity in house.bureau.identities(press), "the bureau is told", 40)


def test_an_endpoints_reply_acknowledges(house):
    house.police.behaviour = house.police.acknowledging
    press = house.button().press()
    press.receipt("acknowledged")
    alarm = house.alarm(press)
    assert (alarm["state"], alarm["acknowledged_by"]) == ("acknowledged", "police-desk")
    line = house.feed.wait("acknowledged", alarm=press.alarm_id)
    assert (line["endpoint"], line["role"]) == ("police", "police")
    house.never(lambda: house.guard.of(press, "alarm.opened"), "the guard is told although the police have it", 3)


def test_the_wrong_role_does_not_stop_the_plan(house):
    """acks_needed is police: the bureau's word is recorded, and the plan goes on."""
    house.bureau.behaviour = house.bureau.acknowledging
    press = house.button().press()
    house.feed.wait("acknowledged", alarm=press.alarm_id)
    house.guard.told("alarm.opened", press)
    assert house.alarm(press)["state"] == "open"


def test_acknowledged_but_nobody_coming_is_told_again(make_house):
    def soon(configuration):
        configuration["plans"][0]["coming_timeout_s"] = 2
    house = make_house(adjust=soon)
    house.police.behaviour = house.police.acknowledging
    press = house.button().press()
    house.police.told("alarm.reopened", press)
    assert house.feed.wait("deadline_passed", alarm=press.alarm_id)["deadline"] == "coming"


def test_the_end_of_the_plan_is_never_silence(house):
    press = house.button().press()
    house.trouble("plan_exhausted")
    before = len(house.guard.of(press))
    house.wait_for(lambda: len(house.guard.of(press)) > before + 1, "the last step is repeated")
    assert house.alarm(press)["exhausted"] is True
    assert house.deed(press, "acknowledge").status_code == 200
    house.no_trouble("plan_exhausted")


def test_an_alternate_address_is_tried_in_parallel(make_house):
    house = make_house(start=False)

    def adjust(configuration):
        configuration["endpoints"][0]["urls"] = ["http://127.0.0.1:9/", house.police.url]
        configuration["endpoints"][1]["urls"] = [f"http://127.0.0.1:{silent.port}/", house.bureau.url]
    silent = Endpoint(house, "silent")
    silent.behaviour, silent.answers_probes = silent.silent, False
    house.adjust = adjust
    house.start()
    press = house.button().press()
    for endpoint in (house.police, house.bureau):
        assert endpoint.told("alarm.opened", press).at_ms - press.at_ms <= 2500
    silent.down()


def test_the_closing_word_reaches_everybody_who_was_told(house):
    press = house.button().press()
    house.guard.told("alarm.opened", press)
    house.close_alarm(press, "accidental")
    for endpoint in house.endpoints:
        assert endpoint.told("alarm.closed", press).alarm["disposition"] == "accidental"

def test_who_refused_hears_at_once_that_it_became_graver(house):
    def only_attacks(telling, connection):
        return (house.police.acknowledging if telling.alarm["kind"] == "attack" else house.police.refusing)(telling, connection)
    house.police.behaviour = only_attacks
    press = house.button().press(kind="intrusion")
    press.receipt("recorded")
    state(house, press, "police", "refused")
    graver = house.button("school-1/room-102").press(kind="attack")
    house.wait_for(lambda: {press.identity, graver.identity} <= house.police.identities(press),
                   "the police are told, and not only after the 30 s of a refusal", 10)
    house.wait_for(lambda: house.alarm(press)["state"] == "acknowledged", "the police take it")


def test_an_answer_to_what_was_told_before_takes_no_press_that_came_since(house):
    came = threading.Event()

    def slow(telling, connection):
        if telling.type != "alarm.opened":
            return house.police.receiving(telling, connection)
        came.wait(4)
        return house.police.acknowledging(telling, connection)
    house.police.behaviour = slow
    press = house.button().press(kind="intrusion")
    house.police.told("alarm.opened", press)
    graver = house.button("school-1/room-102").press(kind="attack")
    graver.receipt("recorded")
    came.set()
    result = house.feed.wait("delivery_result", alarm=press.alarm_id, endpoint="police", outcome="received")
    assert "a press has come since, so it is asked again" in result["text"]
    house.wait_for(lambda: graver.identity in house.police.identities(press), "the police are told of the attack")
    state(house, press, "police", "received")
    assert house.alarm(press)["state"] == "open", "nobody has taken the attack"


def test_an_alternate_that_refuses_does_not_speak_for_who_is_about_to_answer(make_house):
    house = make_house(start=False)
    refused, other = threading.Event(), Endpoint(house, "other")

    def refuse(telling, connection):
        refused.set()
        return other.refusing(telling, connection)

    def answer_late(telling, connection):
        refused.wait(4)
        time.sleep(0.1)  # the refusal arrives first
        return house.police.acknowledging(telling, connection)
    other.behaviour, house.police.behaviour = refuse, answer_late
    house.adjust = lambda configuration: configuration["endpoints"][0]["urls"].append(f"http://127.0.0.1:{other.port}/")
    house.start()
    press = house.button().press()
    assert state(house, press, "police", "received")["attempts"] <= 1
    assert refused.is_set()
    house.wait_for(lambda: house.alarm(press)["state"] == "acknowledged", "the police have taken it")
    other.down()
