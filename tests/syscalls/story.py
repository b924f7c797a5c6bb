"""The scenario: an alarm from its press to its end, told so that it goes on wherever the daemon was killed."""

from lane import Violation, house

AGAIN_S = 0.5  # a button repeats its press after this long without a receipt; a real one takes 1, 2, 4 … s


def tell(lane):
    lane.ask_until(lane.ready, "the daemon is ready")
    first = press_until_receipt(lane)
    alarm = house.own_alarm_id("school-1", *first.identity)
    second = lane.gate.press(kind="attack")  # relies on its PUBACK: nobody presses again
    presses = {first.identity, second.identity}
    for endpoint in (lane.police, lane.bureau):
        lane.wait(lambda: identities(lane, endpoint, alarm) >= presses, f"{endpoint.name} knows both presses")
    deed(lane, alarm, "notes", text="smoke in the corridor")
    lane.wait(lambda: identities(lane, lane.guard, alarm) >= presses, "the step's time has passed and the guard is told")
    deed(lane, alarm, "acknowledge")
    deed(lane, alarm, "coming")
    close(lane, alarm)
    lane.wait(lambda: all(knows_end(lane, endpoint, alarm) for endpoint in lane.endpoints), "everybody is told the end")
    settle(lane, alarm)
    while not lane.stop_daemon() or lane.lives[-1].hits:  # it was disturbed: nothing may be missing
        lane.start_again()
        settle(lane, alarm)
    return alarm


def press_until_receipt(lane):
    press = lane.room.press()
    heard = lambda: [receipt for receipt in lane.receipts(lane.room) if receipt["n"] == press.n]  # noqa: E731
    for _ in range(60):
        try:
            lane.wait(heard, "the press has a receipt", AGAIN_S)
            return press
        except Violation as silence:
            if not str(silence).startswith("stuck"):
                raise
            lane.room.again(press)
    raise Violation("stuck: the press never has a receipt; the log ends: " + lane.life_log()[-1500:])


def identities(lane, endpoint, alarm):
    return {(press["device"], press["epoch"], press["n"]) for telling in lane.tellings(endpoint)
            if telling.alarm.get("id") == alarm for press in telling.presses}


def knows_end(lane, endpoint, alarm):
    return any(telling.type == "alarm.closed" for telling in lane.tellings(endpoint) if telling.alarm.get("id") == alarm)


def deed(lane, alarm, name, **body):
    """A person does it until it is answered yes, or was done although the answer got lost."""
    def tried():
        answer = lane.try_ask("POST", f"/api/v1/alarms/{alarm}/{name}", json=body or None)
        if answer is None:
            return False
        if answer.status_code == 200:
            lane.run.deeds.append((name, answer.json()["seq"]))
            return True
        problem = answer.json()
        if answer.status_code == 409 and problem.get("by") == "desk-1":
            return True
        if (answer.status_code, problem["type"]) in PASSING:
            return False
        raise Violation(f"{name} was answered {answer.status_code} {answer.text}")
    lane.ask_until(tried, f"\"{name}\" is done")


PASSING = {(503, "urn:tocsin:unrecorded"),  # the disk does not answer
           (409, "urn:tocsin:unseen"),      # a press has joined since we looked
           (404, "urn:tocsin:not-found")}     # the alarm was unrecorded and died with the daemon: its button presses again


def close(lane, alarm):
    def seen_and_closed():
        known = lane.alarm_now(alarm)
        if known and known["state"] != "closed":
            deed(lane, alarm, "close", disposition="false", seen_version=known["version"])
        return known and known["state"] == "closed"
    lane.ask_until(seen_and_closed, "it is closed")


def settle(lane, alarm):
    """Nothing is owed any more, and everybody can see that."""
    lane.ask_until(lane.ready, "the daemon is ready")
    lane.ask_until(lambda: settled(lane.alarm_now(alarm)), "every endpoint has received the last word")
    lane.wait(lambda: lane.room.states and lane.room.states[-1]["alarms"] == [], "the site is quiet")


def settled(known):
    return known and known["state"] == "closed" and all(
        delivery["state"] == "received" and delivery["version"] == known["version"] for delivery in known["deliveries"])
