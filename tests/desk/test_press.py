"""The software button in a real browser: on a phone, held by finger and key, kept until it is answered."""
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import loopback
from conftest import PASSWORD
from relay import Relay

PEOPLE = {"li": ["--role", "auditor", "--site", "school-1", "--device", "school-1/phone"]}


@pytest.fixture
def school(make_desk):
    def adjust(main):
        main["daemon"]["http_listen"] = f"127.0.0.1:{loopback.free_port()}"  # after a restart it is the same page
        main["sites"][0]["devices"].append({"id": "phone", "zone": "101"})
    return make_desk(adjust=adjust, people=PEOPLE)


def presses(house):
    return [line for line in house.journal("press_received") if line["device"] == "phone"]


def test_held_with_a_finger_and_followed_until_help_is_coming(school, officer, screen, axe):
    officer.open(school.daemon.url, size="phone")
    officer.sign_in("li", PASSWORD)
    officer.sees("[data-press=idle]", "Hold for one second")
    assert not officer.violations(axe)
    officer.click(".hold")  # a short touch, as in a pocket
    button = officer.sees(".hold")
    ActionChains(officer.driver).click_and_hold(button).perform()
    officer.sees("[data-press=received]", "Received and recorded")
    ActionChains(officer.driver).release().perform()
    screen(officer, "60-pressed-on-a-phone")
    assert officer.script("return document.documentElement.scrollWidth") <= 390
    [line] = presses(school)
    assert line["n"] == 1 and "odd" not in line
    school.police.told("alarm.opened", line["alarm"])
    school.deed(line["alarm"], "coming")
    officer.sees("[data-press=coming]", "Help is coming")
    school.close_alarm(line["alarm"])
    officer.sees("[data-press=idle]")
    officer.size("desk")


def test_a_closed_alarm_is_over_also_when_it_has_left_the_board(school, officer):
    address = urlsplit(school.daemon.url)
    with Relay((address.hostname, address.port)) as relay:
        officer.open(f"http://127.0.0.1:{relay.port}")
        officer.sign_in("li", PASSWORD)
        officer.sees("[data-press=idle]")
        button = officer.sees(".hold")
        ActionChains(officer.driver).click_and_hold(button).perform()
        officer.sees("[data-press=received]")
        ActionChains(officer.driver).release().perform()
        [line] = presses(school)
        officer.sees(f"[data-alarm='{line['alarm']}']")
        school.close_alarm(line["alarm"])
        officer.sees("[data-press=idle]")
        relay.drop()  # what is open is read again: the closed alarm is not among it
        officer.sees(".banner.lost")
        officer.script("""window.wasCalling = false;
            new MutationObserver(() => window.wasCalling ||= !!document.querySelector('[data-press=received]'))
                .observe(document.body, {subtree: true, childList: true, attributes: true})""")
        officer.sees_no(".banner.lost")
        other = school.button("school-1/room-102").press()
        officer.sees(f"[data-alarm='{other.alarm_id}']")
        school.close_alarm(other)
        officer.sees_no(f"[data-alarm='{other.alarm_id}']")
        officer.sees("[data-press=idle]")
        assert not officer.script("return window.wasCalling"), "nobody is being called"


def test_by_key_and_by_screen_reader_as_a_test(school, officer):
    officer.open(school.daemon.url, language="zh-CN")
    officer.sign_in("li", PASSWORD)
    officer.click(".press input")
    officer.sees(".hold", "测试")
    officer.script("document.querySelector('.hold').focus()")
    ActionChains(officer.driver).key_down(Keys.SPACE).perform()
    officer.sees("[data-press=received] [role=alert]", "测试", "已收到并记录", "未通知任何人出警")
    assert "救援" not in officer.text(".press [role=alert]"), "a test calls nobody"
    ActionChains(officer.driver).key_up(Keys.SPACE).perform()
    officer.script("document.querySelector('.hold').click()")  # as assistive technology does: without a pointer
    officer.sees(".hold.armed")
    assert len(presses(school)) == 1, "one activation is enough"
    officer.script("document.querySelector('.hold').click()")
    school.wait_for(lambda: len(presses(school)) == 2, "the second press came")
    assert {line["mode"] for line in presses(school)} == {"test"}


def test_kept_over_a_dead_daemon_and_a_new_page(school, officer):
    officer.open(school.daemon.url)
    officer.sign_in("li", PASSWORD)
    officer.sees("[data-press=idle]")
    school.daemon.kill()
    button = officer.sees(".hold")
    ActionChains(officer.driver).click_and_hold(button).perform()
    officer.sees("[data-press=sending]")
    ActionChains(officer.driver).release().perform()
    school.restart()
    officer.driver.get("about:blank")
    officer.driver.get(school.daemon.url + "/")
    officer.sees(".sign-in form")
    officer.sign_in("li", PASSWORD)
    officer.sees("[data-press=received]", "Received and recorded")
    assert len(presses(school)) == 1


def test_a_call_for_help_that_is_held_up_by_the_end_of_the_session_is_said(school, officer, screen):
    """The daemon came back before it had answered the press, and knows nobody any more."""
    officer.open(school.daemon.url)
    officer.sign_in("li", PASSWORD)
    officer.sees("[data-press=idle]")
    school.daemon.kill()
    button = officer.sees(".hold")
    ActionChains(officer.driver).click_and_hold(button).perform()
    officer.sees("[data-press=sending]")
    ActionChains(officer.driver).release().perform()
    school.restart()
    officer.sees(".sign-in [data-press=held-up]", "NOT RECEIVED", "emergency number")
    screen(officer, "61-a-call-for-help-that-is-held-up")
    officer.focused("input[name=password]")
    officer.keys(PASSWORD, Keys.ENTER)
    officer.sees("[data-press=received]", "Received and recorded")
    assert len(presses(school)) == 1
