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
