"""A desk that is not live says so, and comes back without a gap or a double."""
import shutil
import signal
from urllib.parse import urlsplit

import requests
from conftest import PAGE, PASSWORD
from relay import Relay
from test_alarm import PLAN

WATCH = """
    window.lostAfter = null;
    const began = performance.now();
    new MutationObserver((_, observer) => {
        if (!document.querySelector('.banner.lost')) return;
        window.lostAfter = performance.now() - began;
        observer.disconnect();
    }).observe(document.body, {subtree: true, childList: true});
"""


def test_a_dead_connection_cannot_be_overlooked_and_comes_back_whole(house, officer, screen):
    address = urlsplit(house.daemon.url)
    with Relay((address.hostname, address.port)) as relay:
        officer.open(f"http://127.0.0.1:{relay.port}")
        officer.sign_in("duty-1", PASSWORD)
        first = house.button("school-1/room-101").press()
        officer.sees(".alarm .places", "Room 101")
        officer.script(WATCH)
        relay.set(hole=1)  # nothing goes on, nothing is refused
        officer.sees(".banner.lost", "NOT LIVE")
        assert officer.script("return window.lostAfter") <= 5000, "5 s are promised"
        screen(officer, "9-not-live")
        second = house.button("school-1/room-102").press()
        second.receipt("recorded")
        assert house.deed(first, "acknowledge").status_code == 200
        relay.set()
        relay.drop()
        officer.sees_no(".banner.lost")
        officer.sees(".alarm .places", "Room 102")
        officer.sees(".alarm[data-state=acknowledged] .when", "taken by desk-1")
        assert house.close_alarm(first)
        officer.sees(".quiet", "No open alarm")
        heard = [int(seq) for seq in officer.script("return [...document.querySelectorAll('.log li')].map(e => e.dataset.seq)")]
        recorded = [line["seq"] for line in house.journal()]
        heard.sort()
        assert heard == list(range(heard[0], heard[-1] + 1)), "a gap or a double"
        assert {line["seq"] for line in house.journal() if line.get("alarm") == first.alarm_id and line["type"] == "press_received"} <= set(heard)
        assert set(heard) <= set(recorded)


def test_what_a_person_does_while_it_is_dead_is_not_shown_as_done(house, officer):
    address = urlsplit(house.daemon.url)
    with Relay((address.hostname, address.port)) as relay:
        officer.open(f"http://127.0.0.1:{relay.port}")
        officer.sign_in("duty-1", PASSWORD)
        press = house.button("school-1/room-101").press()
        officer.sees(".alarm.untaken [data-do=take]")
        relay.set(down=1)
        relay.drop(reset=True)
        officer.sees(".banner.lost")
        officer.click("[data-do=take]")
        officer.sees(".actions .failure", "NOT KNOWN whether this is recorded")
        assert officer.find(".alarm.untaken") and not house.alarm(press).get("acknowledged_by")
        relay.set()
        officer.sees_no(".banner.lost")
        officer.click("[data-do=take]")
        officer.sees(".alarm[data-state=acknowledged]")


def test_schools_that_cannot_be_read_at_once_keep_no_alarm_from_the_page(house, officer):
    officer.open(house.daemon.url, before="""
        const ask = window.fetch;
        window.failed = 0;
        window.fetch = (what, how) => String(what).endsWith('/sites') && window.failed++ < 2 ? Promise.reject(new TypeError('reset')) : ask(what, how);
    """)
    officer.sign_in("duty-1", PASSWORD)
    officer.sees(".quiet", "No open alarm")
    officer.sees_no(".banner.lost")
    house.button("school-1/room-101").press()
    officer.sees(".alarm .places", "Room 101")
    officer.wait_for(lambda: officer.script("return window.failed") > 2, "they are read in the end")


def with_a_plan(folder):
    """A school whose first room is on a floor plan."""
    (folder / "ground.svg").write_text(PLAN)

    def adjust(main):
        site = main["sites"][0]
        site["maps"] = [{"id": "ground", "name": "Ground floor", "image_file": str(folder / "ground.svg")}]
        site["zones"][0] |= {"map": "ground", "x": 25, "y": 30}
    return adjust


def test_a_floor_plan_that_cannot_be_fetched_at_once_comes_later(make_desk, officer, tmp_path):
    house = make_desk(adjust=with_a_plan(tmp_path))
    address = urlsplit(house.daemon.url)
    with Relay((address.hostname, address.port)) as relay:
        officer.open(f"http://127.0.0.1:{relay.port}")
        officer.sign_in("duty-1", PASSWORD)
        block(officer, "*/assets/map-*.js", "*/maps/*")
        house.button("school-1/room-101").press()
        officer.sees(".floor-plan .unfetched", "could not be fetched yet")
        block(officer, "*/maps/*")
        officer.sees_no(".floor-plan .unfetched")
        officer.sees(".floor-plan .map")
        block(officer)
        officer.sees(".floor-plan .place-mark.pressed", "Room 101")


def block(officer, *patterns):
    """What the browser asks of these addresses fails, as when the connection is cut."""
    officer.driver.execute_cdp_cmd("Network.enable", {})
    officer.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": list(patterns)})


def test_a_page_that_is_older_than_what_the_daemon_serves_says_so(make_desk, officer, tmp_path):
    page = tmp_path / "page"
    shutil.copytree(PAGE, page)
    house = make_desk(adjust=lambda main: main["daemon"].update(http_desk_folder=str(page)))
    officer.open(house.daemon.url)
    officer.sign_in("duty-1", PASSWORD)
    chunks = list(page.glob("assets/figures-*.js*"))
    for chunk in chunks:
        chunk.unlink()
    house.daemon.signal(signal.SIGHUP)
    house.wait_for(lambda: requests.get(f"{house.daemon.url}/assets/{chunks[0].name}").status_code == 404, "the daemon serves what is there now")
    officer.script("location.hash = '#/figures'")
    officer.sees("main .unfetched", "load the page anew")
    officer.click("main .unfetched button")
    officer.sees("main .unfetched")
    house.button("school-1/room-101").press()
    officer.sees(".alarm .where", "Room 101")
