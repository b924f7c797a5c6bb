"""The replay room: a past alarm, event for event as the journal has it, each line verified in the browser."""
import re
import time

from conftest import PASSWORD
from test_alarm import PLAN
from test_everybody import untranslated


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
    officer.script("const s = document.querySelector('header select'); s.value = 'zh-CN'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    officer.sees(".controls", "播放", "速度")
    officer.sees(".record", "已在本机验证")
    assert not untranslated(officer)
    latin = set(re.findall(r"[A-Za-z]{4,}", officer.text("main h1, main h2, main label, main button, .controls output, .band, .told small, .story b")))
    assert latin <= {"school", "Room", "desk"}, latin  # names are what they are
    officer.size("phone")
    assert officer.script("return document.documentElement.scrollWidth") <= 390, "it has to be moved sideways"
    screen(officer, "16-replay-phone-chinese")
    officer.size("desk")
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


def with_floor_plan(main, folder):
    """The second school has one; nobody looked at that school before."""
    (folder / "ground.svg").write_text(PLAN)
    site = main["sites"][1]
    site["maps"] = [{"id": "ground", "name": "Ground floor", "image_file": str(folder / "ground.svg")}]
    site["zones"][0] |= {"map": "ground", "x": 25, "y": 30}
    for step in main["plans"][0]["steps"]:
        step["answer_timeout_s"] = 60


def test_map_deliveries_and_countdown_are_those_of_the_moment(make_desk, officer, tmp_path, screen):
    house = make_desk(sites=("school-1", "school-2"), adjust=lambda main: with_floor_plan(main, tmp_path))
    press = house.button("school-2/room-101").press()
    house.bureau.told("alarm.opened", press)
    house.alarm_when(press, lambda alarm: all(d["state"] == "received" for d in alarm["deliveries"] if d["step"] == 1), "both have it")
    assert house.deed(press, "acknowledge").status_code == 200
    house.close_alarm(press)
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.script("location.hash = '#/replay/' + arguments[0]", press.alarm_id)
    officer.sees(".replay h1", "HELP CALL", "school-2")
    officer.sees(".replayed .floor-plan .place-mark.pressed", "Room 101")
    officer.sees(".replayed .when", "NOBODY HAS TAKEN IT", "GMT+8")
    officer.sees(".replayed .countdown", "1:00", "The guard desk")
    officer.sees(".replayed .told [data-endpoint=police]", "being told")
    results = [event for event in house.alarm(press)["events"] if event["type"] == "delivery_result"]
    officer.click("[data-do=step]")
    officer.sees(f".replayed .told [data-endpoint={results[0]['endpoint']}]", "received")
    screen(officer, "16-replay-of-a-school-with-a-plan")
    last = house.alarm(press)["events"][-1]["seq"]
    officer.script("""const r = document.querySelector('.controls input[type=range]'); r.value = r.max;
                      r.dispatchEvent(new Event('input', {bubbles: true}))""")
    officer.sees(f".replayed[data-seq='{last}'] .alarm[data-state=closed]")
    officer.sees_no(".replayed .countdown")


def test_it_plays_and_pauses_slowly_and_fast(make_desk, officer):
    house = make_desk(adjust=lambda main: [step.update(answer_timeout_s=60) for step in main["plans"][0]["steps"]])
    press = house.button().press()
    press.receipt("delivered")
    house.never(lambda: False, "something: an alarm takes its time", 2)
    house.close_alarm(press)
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.script("location.hash = '#/replay/' + arguments[0]", press.alarm_id)
    officer.sees(".replayed .alarm[data-state=open]")

    def at_ms():
        return float(officer.script("return document.querySelector('.controls input[type=range]').value"))
    began_ms, began_s = at_ms(), time.monotonic()
    officer.click("[data-do=play]")
    officer.wait_for(lambda: at_ms() - began_ms >= 1000, "it plays")
    assert 0.8 < time.monotonic() - began_s < 3, "at the speed at which it happened"
    officer.click("[data-do=play]")
    officer.sees("[data-do=play]", "Play")
    stands_ms = at_ms()
    house.never(lambda: at_ms() != stands_ms, "it goes on though it was paused", 0.5)
    choose = "const s = document.querySelector('.controls select'); s.value = '100'; s.dispatchEvent(new Event('change', {bubbles: true}))"
    officer.script(choose)
    assert officer.script("return [...document.querySelectorAll('.controls option')].map(e => e.value)")[::6] == ["1", "100"]
    officer.click("[data-do=play]")
    officer.sees(".replayed .alarm[data-state=closed]", timeout_s=3)
    officer.sees("[data-do=play]", "Play")


def test_a_period_is_typed_in_the_schools_own_time_and_kept_while_it_is_typed(house, officer):
    house.button().press().receipt("recorded")
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.script("location.hash = '#/replay'")
    officer.sees(".search label", "From (GMT+8)")
    officer.script("""for (const [name, wall] of [['from', '2001-02-03T04:05'], ['to', '2001-02-03T05:05']]) {
                          const i = document.querySelector(`input[name=${name}]`); i.value = wall;
                          i.dispatchEvent(new Event('input', {bubbles: true})); }""")
    seen = len(house.journal())
    house.wait_for(lambda: len(house.journal()) > seen, "something happens meanwhile")
    house.never(lambda: officer.script("return document.querySelector('input[name=from]').value") != "2001-02-03T04:05", "it is overwritten", 0.5)
    officer.click(".search button")
    officer.sees(".replay .failure", "Nothing happened")
    officer.script("""const wall = new Date(Date.now() + 8 * 3600_000 + 120_000).toISOString().slice(0, 16);
                      const i = document.querySelector('input[name=to]'); i.value = wall; i.dispatchEvent(new Event('input', {bubbles: true}))""")
    officer.click(".search button")
    officer.sees(".controls output", "/ ")


def test_who_replays_sees_that_somebody_presses(make_desk, officer):
    house = make_desk(sites=("school-1", "school-2"))
    press = house.button("school-1/room-101").press()
    house.close_alarm(press)
    officer.open(house.daemon.url)
    officer.sign_in("chief", PASSWORD)
    officer.script("location.hash = '#/replay/' + arguments[0]", press.alarm_id)
    officer.sees(".replayed .alarm")
    house.button("school-2/room-102").press(drill=True)
    officer.sees(".banner.arrived", "DRILL TO BE TAKEN: 1.", "school-2")
    house.button("school-2/room-102").press(kind="fire").receipt("recorded")
    officer.sees(".banner.arrived", "TO BE TAKEN: 2. FIRE", "school-2")
    officer.sees(".sounding")
    officer.keys("m")
    officer.sees_no(".sounding")
    officer.click(".banner.arrived button")
    officer.sees(".board .alarm h1", "FIRE")
