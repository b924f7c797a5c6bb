"""The end of a session, and of the daemon, under an open page: said at once, with what to do, and nothing that was written is lost."""
import signal

import loopback
import pytest
from conftest import PASSWORD
from selenium.webdriver.common.keys import Keys

# The daemon's answer about the session, as the page sees it ten minutes before the end of the shift.
LATE_IN_THE_SHIFT = """
    const ask = window.fetch;
    window.fetch = async (what, how) => {
        const answer = await ask(what, how);
        if (!answer.ok || !String(what).endsWith('/session') || window.renewed) return answer;
        const session = await answer.json();
        window.renewed = true;
        session.expires_at = new Date(Date.now() + 10 * 60000).toISOString();
        return new Response(JSON.stringify(session), {headers: answer.headers});
    };
"""

# The feed, which the daemon ends, asks again before the new session's answer is there, and is refused: that is heard before the
# page has the new session, or after it.
CROSSING = """
    const [first] = arguments, ask = window.fetch;
    let feed_asks, feed_hears, page_has_it;
    const asked = new Promise((done) => { feed_asks = done; }), refused = new Promise((done) => { feed_hears = done; });
    const renewed = new Promise((done) => { page_has_it = done; });
    window.wasRefused = false;
    window.fetch = async (what, how) => {
        if (String(what).endsWith('/session') && how.method === 'POST') {
            const answer = await ask(what, how);
            await (first === 'refusal' ? refused : asked);
            setTimeout(page_has_it, 100);
            return answer;
        }
        if (String(what).endsWith('/feed') && !window.wasRefused) {
            window.wasRefused = true;
            feed_asks();
            if (first === 'session') await renewed;
            setTimeout(feed_hears, 100);
            return new Response('{}', {status: 401});
        }
        return ask(what, how);
    };
"""


def write_half_a_note(officer, house):
    press = house.button().press()
    officer.sees(".alarm .where", "Room 101")
    officer.keys("w")
    officer.focused("textarea")
    officer.keys("half a sentence")
    return press


def test_the_daemon_is_killed_and_started_under_an_open_page(make_desk, officer, screen):
    port = loopback.free_port()
    house = make_desk(adjust=lambda main: main["daemon"].update(http_listen=f"127.0.0.1:{port}"))
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    press = write_half_a_note(officer, house)
    house.daemon.kill()
    officer.sees(".banner.lost", "NOT LIVE")
    officer.sees(".sounding")
    house.restart()
    officer.sees(".sign-in .banner.lost", "ALARMS DO NOT REACH THIS SCREEN", "what you were writing is kept")
    screen(officer, "17-signed-out-by-a-restart")
    house.button("school-1/room-102").press().receipt("recorded")
    officer.focused("input[name=password]")
    assert officer.script("return document.querySelector('input[name=account]').value") == "duty-1"
    officer.keys(PASSWORD, Keys.ENTER)
    officer.sees(".live:not(.not)")
    officer.sees(".alarm .places", "Room 101", "Room 102")
    assert officer.script("return document.querySelector('.actions textarea').value") == "half a sentence"
    officer.script("document.querySelector('.actions form').requestSubmit()")
    officer.sees(".story q", "half a sentence")
    assert [note["text"] for note in house.alarm(press)["notes"]] == ["half a sentence"]


def test_what_one_person_wrote_is_not_shown_to_the_next(house, officer):
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    write_half_a_note(officer, house)
    officer.script("document.querySelector('header details').open = true")
    officer.click("header details button")
    officer.focused("input[name=account]")
    officer.sign_in("duty-2", PASSWORD)
    officer.sees(".alarm .where", "Room 101")
    assert not officer.find(".actions textarea")
    officer.keys("w")
    officer.focused("textarea")
    assert officer.script("return document.querySelector('textarea').value") == ""


def watch_for_a_gap(officer):
    officer.script("""window.wasLost = false;
        new MutationObserver(() => { window.wasLost ||= !!document.querySelector('.banner.lost'); })
            .observe(document.body, {subtree: true, childList: true});""")


def test_the_end_of_the_shift_is_announced_and_renewed_without_a_gap(house, officer, screen, axe):
    officer.open(house.daemon.url, before=LATE_IN_THE_SHIFT)
    officer.sign_in("duty-1", PASSWORD)
    officer.wait_for(lambda: "This session ends at" in officer.script(
        "return [...document.querySelectorAll('[role=alert]')].map(e => e.textContent).join()"), "a screen reader is told")
    officer.sees(".banner.expiring", "This session ends at", "GMT+8", "Password of duty-1")
    write_half_a_note(officer, house)
    screen(officer, "18-before-the-end-of-the-shift")
    assert not officer.violations(axe)
    watch_for_a_gap(officer)
    officer.click(".banner.expiring input")
    officer.keys("wrong", Keys.ENTER)
    officer.sees(".banner.expiring", "Account or password is wrong")
    officer.script("document.querySelector('.banner.expiring input').value = ''")
    officer.keys(PASSWORD, Keys.ENTER)
    officer.sees_no(".banner.expiring")
    assert officer.script("return document.querySelector('.actions textarea').value") == "half a sentence"
    assert len(house.feed.find("signed_out", by="duty-1", reason="renewed")) == 1
    house.button("school-1/room-102").press()
    officer.sees(".alarm .places", "Room 102")
    assert not officer.script("return window.wasLost"), "the feed had a gap"
    officer.script("document.querySelector('.actions form').requestSubmit()")  # with the new session's token
    officer.sees(".story q", "half a sentence")


@pytest.mark.parametrize("first", ["refusal", "session"])
def test_a_refusal_that_crosses_the_renewal_ends_nothing(house, officer, first):
    officer.open(house.daemon.url, before=LATE_IN_THE_SHIFT)
    officer.sign_in("duty-1", PASSWORD)
    write_half_a_note(officer, house)
    watch_for_a_gap(officer)
    officer.script(CROSSING, first)
    officer.click(".banner.expiring input")
    officer.keys(PASSWORD, Keys.ENTER)
    officer.sees_no(".banner.expiring")
    officer.wait_for(lambda: officer.script("return window.wasRefused"), "the feed was refused")
    house.button("school-1/room-102").press()
    officer.sees(".alarm .places", "Room 102")
    assert officer.script("return document.querySelector('.actions textarea').value") == "half a sentence"
    assert not officer.script("return window.wasLost"), "the feed had a gap"


def test_who_becomes_one_that_answers_alarms_hears_them_without_signing_in_again(make_desk, officer):
    house = make_desk(people={"li": ["--role", "auditor"]})
    officer.open(house.daemon.url)
    officer.sign_in("li", PASSWORD)
    house.button("school-1/room-101").press().receipt("recorded")
    officer.sees(".alarm .where", "Room 101")
    assert not officer.find(".sounding, [data-do=take]")
    file = house.folder / "accounts.d" / "li.yaml"
    text = file.read_text()
    assert "viewer" in text
    file.write_text(text.replace("viewer", "police"))
    house.daemon.signal(signal.SIGHUP)
    officer.sees(".sounding")
    officer.sees("[data-do=take]")
