"""The life of an alarm as a duty officer lives it: by keyboard alone, with a colleague, with fifty at once."""
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


def test_two_officers_one_takes_it_the_other_sees_who(house, officers, screen):
    one, two = officers(), officers()
    for officer, name in ((one, "duty-1"), (two, "duty-2")):
        officer.open(house.daemon.url)
        officer.sign_in(name, PASSWORD)
    press = house.button().press()
    for officer in (one, two):
        officer.sees(".alarm.untaken [data-do=take]")
    one.click("[data-do=take]")
    one.sees(".alarm[data-state=acknowledged] .when", "taken by duty-1")
    two.sees(".alarm[data-state=acknowledged] .when", "taken by duty-1")
    assert house.deed(press, "acknowledge", "desk-1").json()["by"] == "duty-1"
    screen(two, "5-the-other-took-it")
    two.keys("c")
    two.sees(".alarm[data-state=coming] .when", "on the way: duty-2")
    one.keys("c")
    one.sees(".alarm[data-state=coming] .when", "on the way: duty-2")


def test_a_press_that_joined_is_seen_before_the_alarm_is_closed(house, officer):
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    press = house.button("school-1/room-101").press()
    officer.sees(".alarm .places", "Room 101")
    officer.keys("x")
    officer.focused("input[name=disposition]")
    house.button("school-1/room-102").press().receipt("recorded")
    officer.sees(".alarm .places", "Room 102", "Places: 2")
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
    officer.sees(".floor-plan .place-mark.pressed", "Room 101")
    officer.wait_for(lambda: officer.script("return document.querySelector('.map img')?.naturalWidth"), "the plan is there")
    plan, mark = officer.boxes(".map img")[0], officer.boxes(".place-mark.pressed")[0]
    x, y = ((mark[0] + mark[2]) / 2 - plan[0]) / (plan[2] - plan[0]), ((mark[1] + mark[3]) / 2 - plan[1]) / (plan[3] - plan[1])
    assert abs(x - 0.25) < 0.02 and abs(y - 0.30) < 0.02, (x, y)
    screen(officer, "15-floor-plan")
