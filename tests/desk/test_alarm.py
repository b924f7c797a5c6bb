"""The life of an alarm as a duty officer lives it: by keyboard alone, with a colleague, with fifty at once."""
import time
from datetime import datetime

from conftest import PASSWORD
from selenium.webdriver.common.keys import Keys


def test_the_whole_life_of_an_alarm_by_keyboard_alone(house, officer, screen):
    officer.open(house.daemon.url)
    screen(officer, "1-sign-in")
    officer.sign_in("duty-1", PASSWORD)
    officer.sees(".quiet", "No open alarm")
    screen(officer, "2-nothing-open")
    press = house.button().press()
    press.receipt("recorded")
    officer.sees(".alarm h1", "HELP CALL", "GRAVE")
    officer.sees(".alarm .where", "实验小学 school-1", "Room 101")
    officer.sees(".alarm .when", "NOBODY HAS TAKEN IT", "GMT+8")
    officer.sees(".way", "1 Example Road", "duty teacher", "+86 21 0000 0000")
    officer.sees(".told", "The police desk", "received")
    assert officer.find(".sounding") and not officer.find(".sound-off"), "it makes no sound"
    officer.focused("#looked-at")
    screen(officer, "3-alarm")
    officer.wait_for(lambda: (officer.keys(Keys.ENTER), officer.find(".alarm[data-state=acknowledged]"))[1], "Enter takes it")
    assert house.alarm(press)["acknowledged_by"] == "duty-1"
    officer.sees_no(".sounding")
    officer.keys("c")
    officer.sees(".alarm[data-state=coming] .when", "on the way: duty-1")
    officer.keys("s")
    officer.sees(".alarm[data-state=on_scene]")
    officer.keys("w")
    officer.focused("textarea")
    officer.keys("Everybody is well.", Keys.TAB, Keys.ENTER)
    officer.sees(".story q", "Everybody is well.")
    officer.keys("x")
    officer.focused("input[name=disposition]")
    officer.keys(Keys.ARROW_DOWN, Keys.TAB, "A ball hit the button.")
    screen(officer, "4-closing")
    officer.keys(Keys.TAB, Keys.ENTER)
    officer.sees(".closed", "Closed by duty-1: false alarm")
    closed = house.alarm(press)
    assert (closed["state"], closed["disposition"]) == ("closed", "false")
    assert [note["text"] for note in closed["notes"]] == ["Everybody is well.", "A ball hit the button."]
    press.receipt("closed")


def test_escape_loses_nothing_and_a_new_alarm_does_not_tear_anybody_away(make_desk, officer):
    house = make_desk(sites=("school-1", "school-2"))
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    house.button("school-1/room-101").press()
    officer.sees(".alarm .where", "school-1")
    officer.keys("x")
    officer.focused("input[name=disposition]")
    officer.keys(Keys.ARROW_DOWN, Keys.TAB, "half a sentence")
    officer.keys(Keys.ESCAPE)
    officer.sees_no(".actions form")
    officer.keys("x")
    officer.sees(".actions textarea")
    assert officer.script("return document.querySelector('textarea').value") == "half a sentence"
    assert officer.script("return document.querySelector('.actions input:checked').value") == "false"
    house.button("school-2/room-102").press()
    officer.sees(".banner.arrived", "NEW ALARM", "school-2")
    officer.sees(".alarm .where", "school-1")
    assert officer.script("return document.querySelector('textarea').value") == "half a sentence"
    assert officer.find(".sounding")
    assert house.deed(house.api("alarms", site="school-2")["alarms"][0], "acknowledge").status_code == 200
    officer.sees_no(".banner.arrived")  # a colleague has it
    officer.sees(".alarm .where", "school-1")


def test_an_alarm_that_just_appeared_is_not_taken_by_a_key_meant_for_another(make_desk, officer):
    house = make_desk(sites=("school-1", "school-2"))
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    first = house.button("school-1/room-101").press()
    officer.sees(".alarm .where", "school-1")
    second = house.button("school-2/room-102").press(kind="attack")
    # in the browser, at the very moment at which the graver one takes the screen
    officer.script("""
        const look = setInterval(() => {
            if (!document.querySelector('.alarm .where')?.innerText.includes('school-2')) return;
            clearInterval(look);
            document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
            document.body.dataset.pressed = 'yes';
        }, 1)""")
    officer.sees("body[data-pressed=yes]")
    officer.sees(".alarm .where", "school-2")
    house.never(lambda: house.alarm(second).get("acknowledged_by"), "it is taken unseen", 1)
    assert not house.alarm(first).get("acknowledged_by")


def two_at_an_alarm(house, officers):
    """Two officers with the same untaken alarm on their screens, and its press."""
    one, two = officers(), officers()
    for officer, name in ((one, "duty-1"), (two, "duty-2")):
        officer.open(house.daemon.url)
        officer.sign_in(name, PASSWORD)
    press = house.button().press()
    for officer in (one, two):
        officer.sees(".alarm.untaken [data-do=take]:enabled")
    return one, two, press


def test_two_officers_one_takes_it_the_other_sees_who(house, officers, screen):
    one, two, press = two_at_an_alarm(house, officers)
    one.click("[data-do=take]")
    one.sees(".alarm[data-state=acknowledged] .when", "taken by duty-1")
    two.sees(".alarm[data-state=acknowledged] .when", "taken by duty-1")
    assert house.deed(press, "acknowledge", "desk-1").json()["by"] == "duty-1"
    screen(two, "5-the-other-took-it")
    two.keys("c")
    two.sees(".alarm[data-state=coming] .when", "on the way: duty-2")
    one.keys("c")
    one.sees(".alarm[data-state=coming] .when", "on the way: duty-2")


def patient(main):
    """A plan that leaves people a minute."""
    for step in main["plans"][0]["steps"]:
        step["answer_timeout_s"] = 60


def test_the_loser_of_two_is_told_who_won(house, officers):
    """The other's click is on its way while somebody else takes it."""
    one, two, press = two_at_an_alarm(house, officers)
    two.script("const ask = window.fetch; window.fetch = async (what, how) => {"
               " if (String(what).endsWith('/acknowledge')) await new Promise(go => { window.go = go; }); return ask(what, how); }")
    two.click("[data-do=take]")
    one.click("[data-do=take]")
    one.sees(".alarm[data-state=acknowledged] .when", "taken by duty-1")
    two.script("window.go()")
    two.sees(".actions .failure", "Already done: duty-1 was first")
    two.sees(".alarm[data-state=acknowledged] .when", "taken by duty-1")
    assert house.alarm(press)["acknowledged_by"] == "duty-1"


def both(main):
    """A plan that needs the police's and the bureau's answer, and leaves them a minute."""
    patient(main)
    main["plans"][0]["acks_needed"] = ["police", "bureau"]


def test_a_plan_that_needs_two_roles_asks_each_until_it_has_answered(make_desk, officers, screen):
    house = make_desk(adjust=both, people={"duty-1": ["--role", "duty"], "bureau-1": ["--role", "bureau"]})
    police, bureau = officers(), officers()
    for officer, name in ((police, "duty-1"), (bureau, "bureau-1")):
        officer.open(house.daemon.url)
        officer.sign_in(name, PASSWORD)
    press = house.button("school-1/room-101").press()
    for officer in (police, bureau):
        officer.sees(".alarm.untaken .when", "NOBODY HAS TAKEN IT")
        officer.sees(".sounding")
    police.wait_for(lambda: (police.keys(Keys.ENTER), police.find(".alarm.taken"))[1], "Enter takes it")
    waits = "Police: duty-1. Still waiting for: education bureau"
    police.sees(".alarm.taken[data-state=open] .when", "taken", waits)
    police.sees(".tile.taken .state", "taken")
    police.sees(".list h2", "To be taken: 0", "Being answered: 1")
    police.sees_no(".sounding")
    assert not police.find("[data-do=take]") and police.sees(".buttons .primary").get_attribute("data-do") == "coming"
    assert "NOBODY" not in police.text() and police.script("return document.title") == "Tocsin"
    screen(police, "24-taken-and-waiting-for-another-role")
    bureau.sees(".alarm.untaken[data-state=open] .when", "NOT TAKEN BY ALL", waits)
    bureau.sees(".list h2", "To be taken: 1")
    assert bureau.find(".sounding") and bureau.find("[data-do=take]") and "NOBODY" not in bureau.text()
    police.keys(Keys.ENTER)
    house.never(lambda: len(house.journal("acknowledged")) > 1, "a second Enter is sent", 1)
    # whoever has taken it is not asked again, but hears of a new place
    house.button("school-1/room-102").press()
    police.sees(".alarm.taken .places", "Room 102")
    police.sees(".sounding")
    police.keys("m")
    police.sees_no(".sounding")
    assert bureau.find(".sounding")
    bureau.script("const s = document.querySelector('.menu select'); s.value = 'zh-CN'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    bureau.sees(".alarm .when", "尚未全部接警", "公安已接警：duty-1。尚待接警：教育局")
    bureau.click("[data-do=take]")
    for officer in (police, bureau):
        officer.sees(".alarm.taken[data-state=acknowledged]")
        officer.sees_no(".acks")
        officer.sees_no(".sounding")
    assert [ack["by"] for ack in house.alarm(press)["acks"]] == ["duty-1", "bureau-1"]


def test_a_guard_on_the_way_does_not_keep_the_police_from_saying_that_they_come(make_desk, officers):
    house = make_desk(adjust=patient, people={"duty-1": ["--role", "duty"], "guard-1": ["--role", "guard", "--site", "school-1"]})
    police, guard = officers(), officers()
    for officer, name in ((police, "duty-1"), (guard, "guard-1")):
        officer.open(house.daemon.url)
        officer.sign_in(name, PASSWORD)
    press = house.button("school-1/room-101").press()
    police.click("[data-do=take]")
    guard.sees(".alarm[data-state=acknowledged]")
    guard.click("[data-do=coming]")
    for officer in (police, guard):
        officer.sees(".alarm[data-state=coming]")
    guard.sees_no("[data-do=coming]")
    assert police.sees(".buttons .primary").get_attribute("data-do") == "coming"
    police.click("[data-do=coming]")
    police.sees_no("[data-do=coming]")
    police.sees(".alarm .when", "duty-1")
    assert police.sees(".buttons .primary").get_attribute("data-do") == "scene"
    assert house.alarm(press)["reached"] == [{"role": "police", "state": "coming"}, {"role": "guard", "state": "coming"}]
    guard.click("[data-do=scene]")
    police.sees(".alarm[data-state=on_scene] [data-do=scene]")
    police.click("[data-do=scene]")
    police.sees_no("[data-do=scene]")


def test_a_key_while_a_deed_is_on_its_way_is_not_lost(house, officer):
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    press = house.button().press()
    officer.sees(".alarm.untaken [data-do=take]:enabled")
    officer.script("const ask = window.fetch; window.fetch = async (what, how) => { const answer = await ask(what, how);"
                   " if (String(what).endsWith('/coming')) await new Promise(go => { window.go = go; }); return answer; }")
    officer.keys("c", "c", "s")
    officer.sees(".alarm[data-state=coming] .when", "on the way: duty-1")
    officer.wait_for(lambda: officer.script("return !!window.go"), "the answer is on its way")
    assert house.alarm(press)["state"] == "coming"
    officer.script("window.go()")
    officer.sees(".alarm[data-state=on_scene]")
    assert len(house.journal("coming")) == 1 and not officer.text(".actions .failure")


HEAR = """
    window.heard = [];
    const Tone = OscillatorNode;
    window.OscillatorNode = function (context, options) { heard.push(`${options.type} ${options.frequency}`); return new Tone(context, options); };
"""


def test_each_gravity_has_its_own_sound_colour_and_words(make_desk, officer):
    house = make_desk(sites=("school-1", "school-2", "school-3", "school-4"), adjust=patient)
    looks = [("everyday", {"kind": "intrusion"}), ("grave", {"kind": "fire"}), ("drill", {"kind": "fire", "drill": True}),
             ("test", {"kind": "fire", "test": True})]
    sounds, colours, words = {}, {}, {}
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    officer.sees_no(".sound-off")
    officer.script(HEAR)
    for number, (name, fields) in enumerate(looks, 1):
        officer.script("heard.length = 0")
        press = house.button(f"school-{number}/room-101").press(**fields)
        officer.sees(f".alarm.{name} h1")
        sounds[name] = officer.wait_for(lambda: officer.script("return heard.join()"), f"{name} is heard")
        colours[name] = officer.script("return getComputedStyle(document.querySelector('.band')).backgroundColor")
        words[name] = officer.text(".gravity")
        assert (name in ("drill", "test")) == officer.text(".alarm h1").startswith(name.upper())
        assert (name in ("drill", "test")) == (f") {name.upper()} " in officer.script("return document.title"))
        house.close_alarm(press)
        officer.sees(".quiet")
    for different in (sounds, colours):
        assert len(set(different.values())) == 4, different
    assert words["grave"] != words["everyday"]
    assert "square" in sounds["grave"] and "square" not in sounds["everyday"] + sounds["drill"] + sounds["test"]
    modes = {line["alarm"]: line["mode"] for line in house.journal("press_received")}
    about = {line["seq"]: modes[line["alarm"]] for line in house.journal() if line.get("alarm")}
    for seq, word in officer.script("return [...document.querySelectorAll('.log li')].map(e => [+e.dataset.seq, e.querySelector('b').innerText])"):
        assert word.startswith(about.get(seq, "real").upper() + " ") == (about.get(seq) in ("drill", "test")), (seq, word)


def test_silence_lasts_until_something_new_happens(make_desk, officer):
    house = make_desk(adjust=patient)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    press = house.button("school-1/room-101").press()
    officer.sees(".sounding")
    officer.sees(".told", "received")
    officer.keys("m")
    officer.sees_no(".sounding")
    house.button("school-1/room-102").press()
    officer.sees(".alarm .places", "Room 102")
    officer.sees(".sounding")
    officer.click("[data-do=take]")
    officer.sees(".alarm[data-state=acknowledged]")
    officer.keys("m")
    house.button("school-1/room-101").press(kind="attack")
    officer.sees(".alarm[data-state=open] h1", "ATTACK")
    officer.sees(".sounding")
    assert not house.alarm(press).get("acknowledged_by")


def test_the_countdown_says_when_who_is_told_next(make_desk, officer):
    house = make_desk(adjust=patient)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    press = house.button().press()
    officer.sees(".countdown", "Next step in", "The guard desk")

    def left_s():
        minutes, seconds = officer.text(".countdown b").split(":")
        return int(minutes) * 60 + int(seconds)
    due = datetime.fromisoformat(house.alarm(press)["step_due_at"].replace("Z", "+00:00")).timestamp()
    assert abs(due - time.time() - left_s()) < 2
    first = left_s()
    officer.wait_for(lambda: left_s() < first, "it counts down")
    officer.click("[data-do=take]")
    officer.sees_no(".countdown")


def test_what_was_odd_about_a_press_is_said(house, officer):
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    house.button("school-1/room-101").press(at="2026-01-02T03:04:05.000Z")
    officer.sees(".alarm .story", "ITS TIME IS NOT OURS: held up")


def test_of_equals_the_oldest_is_first(make_desk, officer):
    house = make_desk(sites=("school-3", "school-1", "school-2"), devices=("room-101",), adjust=patient)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    for site in house.sites:
        house.button(f"{site}/room-101").press().receipt("recorded")
    officer.wait_for(lambda: len(officer.find(".tile")) == 3, "there are three")
    shown = officer.script("return [...document.querySelectorAll('.tile .site')].map(e => e.innerText.split(' ')[1])")
    assert shown == house.sites
    officer.sees(".alarm .where", "school-3")


def test_a_press_that_joined_is_seen_before_the_alarm_is_closed(house, officer):
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    press = house.button("school-1/room-101").press()
    officer.sees(".alarm .places", "Room 101")
    officer.keys("x")
    officer.focused("input[name=disposition]")
    house.button("school-1/room-102").press().receipt("recorded")
    officer.sees(".alarm .places", "Room 102", "Places: 2")
    officer.sees(".alarm .story", "Room 102")  # the daemon's own word, with the version that is seen by that
    officer.keys(Keys.ARROW_DOWN, Keys.ENTER)
    officer.sees(".closed", "false alarm")
    assert house.alarm(press)["press_count"] == 2


def test_fifty_alarms_at_once_are_all_on_the_screen_the_gravest_first(make_desk, officer, screen):
    sites = tuple(f"school-{n}" for n in range(1, 51))
    house = make_desk(sites=sites, devices=("room-101",))
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    kinds = ["panic", "intrusion", "medical", "fire", "attack"]
    buttons = [house.button(f"{site}/room-101") for site in sites]
    for number, button in enumerate(buttons):
        button.press(kind=kinds[number % 5])
    officer.wait_for(lambda: len(officer.find(".tile")) == 50, "there are fifty tiles")
    width, height = officer.script("return [innerWidth, innerHeight]")
    outside = [box for box in officer.boxes(".tile") if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height]
    screen(officer, "6-fifty-alarms")
    assert not outside, f"{len(outside)} of them are not on the screen: {outside[:3]}"
    shown = [text.split("\n")[0].strip() for text in officer.script("return [...document.querySelectorAll('.tile')].map(e => e.innerText)")]
    order = ["ATTACK", "FIRE", "HELP CALL", "MEDICAL", "INTRUSION"]
    assert shown == sorted(shown, key=order.index)
    officer.sees(".alarm h1", "ATTACK")
    for left in (49, 48):  # one after the other, by keyboard
        officer.wait_for(lambda: (officer.keys(Keys.ENTER), officer.find(".alarm[data-state=acknowledged]"))[1], "Enter takes it")
        officer.sees(".list h2", f"To be taken: {left}")
        officer.keys("n")
        officer.sees(".alarm.untaken")


def test_a_drill_beside_a_real_alarm(make_desk, officer, screen):
    house = make_desk(sites=("school-1", "school-2"))
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    house.button("school-1/room-101").press(drill=True, kind="fire")
    officer.sees(".alarm.drill h1", "DRILL", "FIRE", "not real")
    officer.sees(".alarm.drill", "This is a DRILL")
    assert officer.text(".alarm h1").startswith("DRILL")
    screen(officer, "7-drill")
    house.button("school-2/room-102").press(kind="intrusion")
    officer.sees(".alarm.everyday h1", "INTRUSION")
    officer.wait_for(lambda: len(officer.find(".tile")) == 2, "both are on the screen")
    first, second = officer.script("return [...document.querySelectorAll('.tile')].map(e => e.innerText)")
    assert "INTRUSION" in first and second.startswith("DRILL")
    colours = officer.script("return [...document.querySelectorAll('.tile')].map(e => getComputedStyle(e).borderLeftColor)")
    assert colours[0] != colours[1]
    screen(officer, "8-drill-beside-a-real-alarm")


PLAN = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 400" width="800" height="400"><rect width="800" height="400" fill="#eef"/>
<path d="M20 20h760v360H20zM400 20v360M20 200h760" fill="none" stroke="#225" stroke-width="6"/></svg>"""


def test_the_place_is_on_the_floor_plan_with_its_way_and_its_cameras(make_desk, officer, screen, tmp_path):
    (tmp_path / "ground.svg").write_text(PLAN)

    def adjust(main):
        site = main["sites"][0]
        site["access"] = "North gate, the guard opens"
        site["maps"] = [{"id": "ground", "name": "Ground floor", "image_file": str(tmp_path / "ground.svg")}]
        site["zones"][0] |= {"map": "ground", "x": 25, "y": 30,
                             "cameras": [{"name": "Corridor", "url": "https://cameras.example/corridor"}]}
        site["zones"][1] |= {"map": "ground", "x": 75, "y": 70}
    house = make_desk(adjust=adjust)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    house.button("school-1/room-101").press(kind="fire")
    officer.sees(".way", "North gate, the guard opens", "Corridor")
    assert officer.find(".cameras a")[0].get_attribute("href") == "https://cameras.example/corridor"
    officer.sees(".floor-plan .place-mark.pressed", "Room 101")
    officer.wait_for(lambda: officer.script("return document.querySelector('.map img')?.naturalWidth"), "the plan is there")
    plan, mark = officer.boxes(".map img")[0], officer.boxes(".place-mark.pressed")[0]
    x, y = ((mark[0] + mark[2]) / 2 - plan[0]) / (plan[2] - plan[0]), ((mark[1] + mark[3]) / 2 - plan[1]) / (plan[3] - plan[1])
    assert abs(x - 0.25) < 0.02 and abs(y - 0.30) < 0.02, (x, y)
    screen(officer, "15-floor-plan")
