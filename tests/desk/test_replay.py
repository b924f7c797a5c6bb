"""The replay room: a past alarm, event for event as the journal has it, each line verified in the browser."""
from conftest import PASSWORD


def test_an_alarm_is_replayed_event_for_event_and_each_line_is_verified(house, officer, screen, axe):
    press = house.button("school-1/room-101").press()
    press.receipt("delivered")
    house.button("school-1/room-102").press().receipt("recorded")
    assert house.deed(press, "acknowledge").status_code == 200
    house.close_alarm(press)
    story = house.alarm(press)
    moments = {}  # what is shown of a moment: after its last line
    for event in story["events"]:
        moments[event["at"]] = event
    officer.open(house.daemon.url)
    officer.script("localStorage.setItem('journal-key', arguments[0])", (house.folder / "journal.key.pub").read_text())
    officer.sign_in("chief", PASSWORD)
    officer.script("location.hash = '#/history'")
    officer.sees(f"tr[data-alarm={press.alarm_id}]", "HELP CALL", "desk-1")
    officer.click(f"tr[data-alarm={press.alarm_id}] a[href*=replay]")
    seen = []
    for event in moments.values():
        officer.sees(f".replayed[data-seq='{event['seq']}'] .record[data-seq='{event['seq']}']", event["type"])
        officer.sees(".record [data-sealed=true]", "Verified here")
        officer.sees(".record [data-signed=yes]")
        known = house.api("replay", "admin", seq=event["seq"], alarm=press.alarm_id)["alarms"]
        alarm = next(alarm for alarm in known if alarm["id"] == press.alarm_id)
        shown = officer.find(".replayed .alarm")[0]
        assert shown.get_attribute("data-state") == alarm["state"]
        assert len(officer.find(".replayed .place")) == len({p["zone"]["id"] for p in alarm["presses"]})
        seen.append(alarm["state"])
        officer.click("[data-do=step]")
    assert seen[0] == "open" and "acknowledged" in seen and seen[-1] == "closed"
    assert not officer.find(".replayed .actions"), "nothing can be done about the past"
    screen(officer, "16-replay")
    assert not officer.violations(axe)
    officer.script("localStorage.setItem('journal-key', arguments[0])", "tocsin.test+00000000+AQAA")
    officer.driver.refresh()
    officer.sees(".record [data-signed=no]")


def test_a_period_is_replayed_with_what_was_known_and_what_was_broken(house, officer):
    press = house.button("school-1/room-101").press()
    press.receipt("delivered")
    house.police.down()
    house.trouble("endpoint", "police")
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.script("location.hash = '#/replay'")
    before = len(house.journal())  # nobody takes the alarm: the journal goes on growing
    officer.click(".search button")
    officer.sees(".controls output", "/ ")
    officer.script("""const r = document.querySelector('.controls input[type=range]'); r.value = r.max;
                      r.dispatchEvent(new Event('input', {bubbles: true}))""")
    officer.sees(".replayed .alarm", "HELP CALL")
    officer.sees(".replayed [data-trouble=endpoint]")
    shown = int(officer.text(".controls output").rsplit("/", 1)[1])
    assert before <= shown <= len(house.journal())
