"""An officer who looks away, or whose keys were meant for something else: is woken, is not misled, takes nothing unseen."""
import loopback
from conftest import PASSWORD
from selenium.webdriver.common.keys import Keys
from test_alarm import HEAR, patient


def on_a_port_of_its_own(main):
    patient(main)
    main["daemon"]["http_listen"] = f"127.0.0.1:{loopback.free_port()}"  # after a restart it is the same page


def test_a_desk_that_goes_blind_is_heard_although_an_alarm_was_silenced_before(make_desk, officer):
    house = make_desk(adjust=on_a_port_of_its_own)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    house.button("school-1/room-101").press().receipt("recorded")
    officer.sees(".sounding")
    officer.sees(".told", "received")
    officer.keys("m")
    officer.sees_no(".sounding")
    officer.script(HEAR)
    house.daemon.kill()
    officer.sees(".banner.lost", "NOT LIVE")
    officer.sees(".sounding")
    officer.wait_for(lambda: "sine 330" in officer.script("return heard"), "the loss is heard")
    officer.keys("m")
    officer.sees_no(".sounding")
    house.restart()
    officer.sees(".sign-in .banner.lost")


def test_what_one_person_silenced_is_heard_by_the_next(make_desk, officer):
    house = make_desk(adjust=patient)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    house.button("school-1/room-101").press().receipt("recorded")
    officer.sees(".told", "received")
    officer.keys("m")
    officer.sees_no(".sounding")
    officer.script("document.querySelector('header details').open = true")
    officer.click("header details button")
    officer.focused("input[name=account]")
    officer.sign_in("duty-2", PASSWORD)
    officer.sees(".alarm.untaken .where", "Room 101")
    officer.sees(".sounding")


# At the very moment at which the second school's alarm takes the screen, in the browser.
AT_ONCE = """
    const look = setInterval(() => {
        if (!document.querySelector('.alarm .where')?.innerText.includes('school-2')) return;
        clearInterval(look);
        %s
        document.body.dataset.pressed = 'yes';
    }, 1)"""


def test_no_key_and_no_click_that_was_meant_for_another_does_anything(make_desk, officer):
    house = make_desk(sites=("school-1", "school-2"), adjust=patient)
    for deed in ("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'c', bubbles: true}));",
                 "document.dispatchEvent(new KeyboardEvent('keydown', {key: 's', bubbles: true}));",
                 "document.querySelector('[data-do=take]').click();"):
        officer.open(house.daemon.url)
        officer.sign_in("duty-1", PASSWORD)
        first = house.button("school-1/room-101").press()
        officer.sees(".alarm .where", "school-1")
        officer.script(AT_ONCE % deed)
        second = house.button("school-2/room-102").press(kind="attack")
        officer.sees("body[data-pressed=yes]")
        officer.sees(".alarm .where", "school-2")
        house.never(lambda: house.alarm(second)["state"] != "open", f"{deed} is done unseen", 1)
        officer.click("[data-do=coming]")  # what is looked at may be answered
        officer.sees(".alarm[data-state=coming]")
        for press in (first, second):
            house.close_alarm(press)


def test_an_alarm_behind_another_view_is_not_taken_by_the_key_that_was_meant_there(make_desk, officer):
    house = make_desk(sites=("school-1", "school-2"), adjust=patient)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    known = house.button("school-1/room-101").press(kind="attack")
    officer.sees(".alarm.untaken .where", "school-1")
    officer.sees("[data-do=take]:enabled")
    officer.script("location.hash = '#/history'")
    officer.sees(".history h1")
    officer.script("""
        addEventListener('hashchange', () => setTimeout(() => {
            document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}));
            document.body.dataset.pressed = 'yes';
        }, 20))""")
    house.button("school-2/room-102").press()  # brings the board to the front, with the graver one
    officer.sees("body[data-pressed=yes]")
    officer.sees(".alarm.untaken .where", "school-1")
    house.never(lambda: house.alarm(known).get("acknowledged_by"), "it is taken unseen", 1)


def test_a_dead_part_is_seen_while_an_alarm_is_open(make_desk, officer, screen, axe):
    house = make_desk(adjust=patient)
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    house.button("school-1/room-102").heartbeat(battery=3)
    press = house.button("school-1/room-101").press()
    press.receipt("recorded")
    officer.click("[data-do=take]")
    officer.sees(".alarm[data-state=acknowledged]")
    officer.sees("header .disturbed", "Troubles:")
    assert not officer.find(".banner.disturbed"), "a battery does not cover anything"
    house.broker.kill()
    house.trouble("broker")
    officer.sees(".banner.disturbed", "No connection to the buttons' broker", "No press arrives")
    officer.sees(".alarm[data-state=acknowledged]")
    screen(officer, "70-a-dead-broker-while-an-alarm-is-open")
    assert not officer.violations(axe)
    officer.script("location.hash = '#/history'")
    officer.sees(".banner.disturbed", "No press arrives")
    officer.click("header .disturbed")
    officer.sees("[data-trouble=broker]", "No press arrives")
    officer.sees("[data-trouble=battery]", "Change it today")
    house.broker.start()
    officer.sees_no(".banner.disturbed")


def slow(path):
    """The answer to the first question about `path` comes when window.go() is called."""
    return """
        const ask = window.fetch;
        window.fetch = async (what, how) => {
            const answer = await ask(what, how);
            if (String(what).includes('%s') && !window.go) await new Promise(go => { window.go = go; });
            return answer;
        };""" % path


def test_nothing_is_said_of_open_alarms_before_they_are_read(make_desk, officer):
    house = make_desk(adjust=patient)
    house.button("school-1/room-101").press().receipt("recorded")
    officer.open(house.daemon.url, before=slow("/alarms?state=open"))
    officer.sign_in("duty-1", PASSWORD)
    officer.wait_for(lambda: officer.script("return !!window.go"), "they are asked for")
    officer.sees(".quiet", "being read")
    assert "No open alarm" not in officer.text()
    officer.script("window.go()")
    officer.sees(".alarm .where", "Room 101")


def test_an_alarm_that_came_while_the_board_was_read_stays_on_it(make_desk, officer):
    for path in ("/alarms?state=open", "/troubles"):
        house = make_desk(adjust=patient)
        officer.open(house.daemon.url, before=slow(path))
        officer.sign_in("duty-1", PASSWORD)
        officer.wait_for(lambda: officer.script("return !!window.go"), "the board is asked for")
        house.button("school-1/room-101").press().receipt("recorded")
        house.button("school-1/room-102").heartbeat(battery=3)
        officer.sees(".alarm .told", "received")
        officer.wait_for(lambda: not officer.script("return performance.getEntriesByType('resource').filter(e => !e.responseEnd).length"),
                         "nothing is being asked")
        house.trouble("battery")
        officer.script("window.go(); document.body.dataset.went = 'yes'")
        house.never(lambda: not officer.find(".alarm"), "it vanishes from the board: " + path, 1)
        house.close_alarm(house.api("alarms", state="open")["alarms"][0])
        officer.sees("[data-trouble=battery]")


def test_a_page_that_may_keep_nothing_works(make_desk, officer):
    house = make_desk(adjust=patient)
    officer.open(house.daemon.url, before="""
        if (location.protocol === 'http:') Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }});""")
    officer.sign_in("duty-1", PASSWORD)
    officer.sees(".quiet", "No open alarm")
    officer.script("document.querySelector('header details').open = true")
    officer.script("const s = document.querySelector('.menu select'); s.value = 'zh-CN'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    officer.sees(".quiet", "没有未结警情")
    house.button("school-1/room-101").press()
    officer.sees(".alarm .where", "Room 101")


def test_sound_that_the_browser_takes_away_is_said(make_desk, officer):
    house = make_desk(adjust=patient)
    officer.open(house.daemon.url, before="""
        const Context = AudioContext;
        window.AudioContext = function () { return window.ears = new Context(); };""")
    officer.sign_in("duty-1", PASSWORD)
    officer.sees_no(".sound-off")
    officer.script("window.ears.suspend()")
    officer.sees(".sound-off", "SOUND IS OFF")
    officer.keys(Keys.SHIFT)
    officer.sees_no(".sound-off")
    assert house.daemon
