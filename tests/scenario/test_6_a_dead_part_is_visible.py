"""Promise 6: a dead part is visible within 20 s (House.trouble waits no longer), and its return as well."""
import signal
import threading
import time

import paho.mqtt.client as mqtt
import paho.mqtt.publish as publish
import requests

from house import PATIENCE_S, loopback


def test_a_broker_that_is_killed(house):
    room = house.button()
    house.broker.kill()
    house.trouble("broker")
    assert house.ask("GET", "/readyz", None).status_code == 503
    house.broker.start()
    house.no_trouble("broker")
    house.wait_for(room.client.is_connected, "the button is connected again")
    press = room.press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


def test_a_broker_that_hangs(house):
    house.broker.signal(signal.SIGSTOP)
    try:
        house.trouble("broker")
    finally:
        house.broker.signal(signal.SIGCONT)
    house.no_trouble("broker", timeout_s=40)
    house.button().press().receipt("recorded")


def test_a_broker_that_is_not_there_at_the_start(make_house):
    house = make_house(start=False)
    house.broker.port = loopback.free_port()
    house.write_configuration()
    house.daemon.start(ready=False)
    house.feed_follow()
    house.trouble("broker")
    house.broker.start()
    house.no_trouble("broker")
    house.button().press().receipt("recorded")


def test_a_broker_that_forgot_everything(house):
    """Its database is gone, and with it the session in which presses may have waited."""
    house.broker.kill()
    for file in house.broker.folder.glob("mosquitto.db*"):
        file.unlink()
    house.broker.start()
    house.trouble("broker_session")
    house.no_trouble("broker")
    press = house.button().press()
    press.receipt("recorded")


def test_a_broker_that_throws_messages_away(make_house):
    """Somebody subscribed and went: more waits for him than the broker keeps. It counts what it drops, and the daemon watches."""
    house = make_house(start=False)
    house.broker.extra = "max_queued_messages 10\nsys_interval 1"
    house.start()
    somebody = mqtt.Client("somebody", clean_session=False)
    somebody.username_pw_set(loopback.DAEMON_USER, house.broker.passwords[loopback.DAEMON_USER])
    somebody.on_connect = lambda *_: somebody.subscribe("tocsin/v1/nowhere/state", qos=1)
    somebody.on_subscribe = lambda *_: somebody.disconnect()
    somebody.connect("127.0.0.1", house.broker.port)
    somebody.loop_forever()
    room = house.button()
    assert not house.troubles("broker_drops")
    publish.multiple([("tocsin/v1/nowhere/state", b"", 1, False)] * 500, port=house.broker.port, client_id="flood",
                     auth={"username": loopback.DAEMON_USER, "password": house.broker.passwords[loopback.DAEMON_USER]})
    assert "messages because a queue was full" in house.trouble("broker_drops", "broker")["text"]
    press = room.press()
    press.receipt("recorded")
    house.stop()
    house.restart()  # it does not know what came before it
    house.trouble("broker_drops", "broker")
    house.police.told("alarm.opened", press)


def test_an_endpoint_that_is_down(house):
    house.police.down()
    trouble = house.trouble("endpoint", "police")
    assert trouble["text"]
    assert next(one for one in house.api("endpoints")["endpoints"] if one["id"] == "police")["state"] == "down"
    house.police.up()
    house.no_trouble("endpoint", "police")


def test_endpoints_that_answer_at_one_of_their_addresses_are_reached(make_house):
    def second_address(configuration):
        for endpoint in configuration["endpoints"]:
            endpoint["urls"].append("http://127.0.0.1:9/")
    house = make_house(adjust=second_address)
    for endpoint in house.endpoints:
        assert "tellings go to" in house.trouble("endpoint", endpoint.name)["text"]
    house.wait_for(lambda: house.ask("GET", "/readyz", None).json()["ready"], "all is ready")
    for endpoint in house.endpoints:
        endpoint.down()
    house.wait_for(lambda: "no endpoint answers" in house.ask("GET", "/readyz", None).json()["reasons"], "none is reached", 40)


def test_an_endpoint_that_answers_and_does_not_understand(make_house):
    def echo(configuration):
        configuration["endpoints"][0]["confirm"] = "echo"
    house = make_house(adjust=echo)
    house.police.behaviour = lambda _telling, _connection: (200, {"page": "please log in"})
    house.button().press()
    house.trouble("endpoint_answer", "police")


def supervised(configuration):
    for device in configuration["sites"][0]["devices"]:
        device["silent_after_s"] = 2 if device["id"] == "gate" else 0


def test_a_button_that_falls_silent_and_comes_back(make_house):
    house = make_house(adjust=supervised)
    gate = house.button("school-1/gate")
    gate.heartbeat(battery=80)
    house.wait_for(lambda: device(house, "gate")["heard"], "the heartbeat is seen")
    assert device(house, "gate")["battery"] == 80
    house.trouble("device_silent", "school-1/gate")
    gate.heartbeat()
    house.no_trouble("device_silent", "school-1/gate")


def test_a_button_that_was_never_heard(make_house):
    house = make_house(adjust=supervised)
    house.trouble("device_silent", "school-1/gate")


def test_a_broker_that_is_away_is_one_trouble(make_house):
    house = make_house(adjust=supervised)
    house.button("school-1/gate").heartbeat()
    house.wait_for(lambda: device(house, "gate")["heard"], "the heartbeat is seen")
    house.broker.kill()
    house.trouble("broker")
    house.never(lambda: house.feed.find("trouble_raised", code="device_silent"), "a button is blamed", 4)
    house.broker.start()
    house.no_trouble("broker")
    house.trouble("device_silent", "school-1/gate")


def test_no_button_is_blamed_when_the_daemon_stood_still(make_house):
    def patient(configuration):
        configuration["broker"]["loopback_s"] = 6  # or it would be the broker that is called lost
        for one in configuration["sites"][0]["devices"]:
            one["silent_after_s"] = 8 if one["id"] == "gate" else 0
    house = make_house(adjust=patient)
    gate = house.button("school-1/gate")

    def is_heard(battery):
        gate.heartbeat(battery=battery)
        house.wait_for(lambda: device(house, "gate").get("battery") == battery, "the button is heard")
    is_heard(80)
    house.daemon.signal(signal.SIGSTOP)
    time.sleep(10)
    house.daemon.signal(signal.SIGCONT)
    is_heard(70)
    house.never(lambda: house.feed.find("trouble_raised", code="device_silent"), "a button is blamed", 2)


def device(house, name):
    return next(one for one in house.api("devices")["devices"] if one["id"] == name)


def test_a_button_that_the_broker_lost(house):
    gate = house.button("school-1/gate")
    gate.send(b"", "offline")
    house.trouble("device_offline", "school-1/gate")
    gate.heartbeat()
    house.no_trouble("device_offline", "school-1/gate")


def test_an_empty_battery(house):
    gate = house.button("school-1/gate")
    gate.heartbeat(battery=5)
    house.trouble("battery", "school-1/gate")
    gate.heartbeat(battery=95)
    house.no_trouble("battery", "school-1/gate")


def test_heartbeats_cost_no_journal(house):
    gate = house.button("school-1/gate")
    size = len(house.journal())
    for _ in range(500):
        gate.heartbeat(battery=80)
    gate.send(b"", "offline")  # in order behind them
    house.trouble("device_offline", "school-1/gate")
    assert len(house.journal()) <= size + 5


def test_troubles_are_told_to_endpoints_that_ask_for_them(make_house):
    def asks(configuration):
        configuration["endpoints"][1]["troubles"] = True
    house = make_house(adjust=asks)
    house.police.down()

    def told(type):
        return [telling for telling in house.bureau.tellings if telling.type == type and telling.data["part"] == "police"]
    house.wait_for(lambda: told("trouble.raised"), "the bureau hears of the trouble")
    house.police.up()
    house.wait_for(lambda: told("trouble.cleared"), "the bureau hears of its end")
    assert not [telling for telling in house.guard.tellings if telling.type.startswith("trouble")]


def test_a_desk_knows_that_its_feed_lives(house):
    """Pings every 2 s, so that a desk that hears nothing for 4 s knows."""
    heard = threading.Event()

    def listen():
        with requests.get(house.daemon.url + "/api/v1/feed", stream=True, timeout=15,
                          headers={"Authorization": f"Bearer {house.token('desk-1')}"}) as answer:
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b": ping"):
                    heard.set()
                    return
    before = time.monotonic()
    threading.Thread(target=listen, daemon=True).start()
    assert heard.wait(PATIENCE_S)
    assert time.monotonic() - before <= 3.5


def test_monitors_see_the_troubles(house):
    house.police.down()
    house.trouble("endpoint", "police")
    metrics = house.ask("GET", "/metrics", None).text
    assert [line for line in metrics.splitlines() if line.startswith("tocsin_trouble") and not line.endswith(" 0")]
