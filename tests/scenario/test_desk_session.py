"""The desk's page and who may use it: signing in and out, foreign pages, roles and sites, files without paths.

Every refusal is looked for where it has to be: in the answer, in what did not change, and in the journal.
"""
import contextlib
import gzip
import hashlib
import http.client
import itertools
import json
import math
import select
import signal
import socket
import threading
from collections import Counter

import pytest
import requests
import yaml

from house import PATIENCE_S

PASSWORD = "correct horse battery staple"
PAGE = "<!doctype html><title>desk</title><script type=module src=/assets/desk-1a2b.js></script>"


class Browser:
    """Keeps cookies as a browser does that takes http://127.0.0.1 for trustworthy, and sends what our page sends."""

    def __init__(self, house):
        self.house, self.cookies, self.csrf = house, {}, None

    def ask(self, method, path, headers=(), own_page=True, **options):
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        if own_page and method not in ("GET", "HEAD"):
            sent |= {"Origin": self.house.daemon.url, "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self.csrf or ""}
        answer = requests.request(method, self.house.daemon.url + path, headers={**sent, **dict(headers)},
                                  timeout=PATIENCE_S, **options)
        for line in answer.raw.headers.getlist("Set-Cookie"):
            name, value = line.split(";")[0].split("=", 1)
            assert name.startswith("__Host-") and "; Path=/; Secure; HttpOnly; SameSite=Strict" in line and "Domain" not in line
            self.cookies.pop(name, None)
            if "Max-Age=0" not in line:
                self.cookies[name] = value
        return answer

    def try_in(self, account, password=PASSWORD, **options):
        return self.ask("POST", "/api/v1/session", json={"account": account, "password": password}, **options)

    def sign_in(self, account="officer"):
        answer = self.try_in(account)
        assert answer.status_code == 200, answer.text
        self.csrf = answer.json()["csrf"]
        return self

    def who(self):
        return self.ask("GET", "/api/v1/session")

    def deed(self, press, deed, **options):
        return self.ask("POST", f"/api/v1/alarms/{press.alarm_id}/{deed}", **options)


@pytest.fixture
def desk(make_house, tmp_path):
    """A house with a page and people: officer (all sites), teacher (school-2), watcher (may only look), li (presses)."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "index.html.gz").write_bytes(gzip.compress(PAGE.encode()))
    (folder / "assets" / "desk-1a2b.js").write_text("export {};")
    (folder / "notes.secret").write_text("no type of a page")
    (folder / ".hidden.js").write_text("hidden")
    (folder / "link.txt").symlink_to("/etc/passwd")

    (tmp_path / "yard.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")

    def adjust(main):
        main["daemon"]["http_desk_folder"] = str(folder)
        for site in main["sites"]:
            site |= {"access": "North gate, ring for the guard", "time_zone": "Asia/Urumqi",
                     "maps": [{"id": "yard", "name": "The yard", "image_file": str(tmp_path / "yard.svg")}],
                     "cameras": [{"name": "Gate", "url": "https://cameras.example/gate"}]}
            site["zones"][0] |= {"map": "yard", "x": 12.5, "y": 80,
                                 "cameras": [{"name": "Corridor", "url": "rtsp://cameras.example/7"}]}

    house = make_house(adjust=adjust, sites=("school-1", "school-2"), start=False)
    house.broker.start()
    house.write_configuration()
    accounts = house.folder / "accounts.d"
    add_account(house, "officer", "--role", "duty")
    for name, role, sites in (("colleague", "police", None), ("teacher", "guard", ["school-2"]), ("watcher", "viewer", None)):
        account = {"id": name, "name": name, "role": role, "password_file": "officer.password", **({"sites": sites} if sites else {})}
        (accounts / f"{name}.yaml").write_text(json.dumps({"accounts": [account]}))
    presser = {"id": "li", "name": "li", "role": "viewer", "sites": ["school-1"], "password_file": "officer.password", "device": "school-1/room-101"}
    (accounts / "li.yaml").write_text(json.dumps({"accounts": [presser]}))
    house.start()
    house.page = folder
    return house


def add_account(house, name, *more, command="add", password=PASSWORD):
    file = house.private("typed", password + "\n")
    return house.tool("account", command, name, "--config", str(house.folder / "tocsin.yaml"), "--password-file", str(file), *more,
                      connected=False)


def feed_end(house, who):
    """Follows the feed of a browser or of a token's account; set when the daemon ends it."""
    ended, following = threading.Event(), threading.Event()
    headers = {"Authorization": f"Bearer {house.token(who)}"} if isinstance(who, str) else {
        "Cookie": f"__Host-tocsin={who.cookies['__Host-tocsin']}"}

    def follow():
        answer = requests.get(house.daemon.url + "/api/v1/feed", stream=True, timeout=PATIENCE_S, headers=headers)
        following.set()
        for _ in answer.iter_lines():
            pass
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert following.wait(PATIENCE_S)
    return ended


def recorded(house, type, **members):
    """Waits for a journal line."""
    return house.feed.wait(type, **members)


def refusals(house, type, count):
    """Waits for so many lines: a refusal is answered before it is on the disk."""
    house.wait_for(lambda: len(house.journal(type)) >= count, f"{count} lines {type} are recorded")
    return house.journal(type)


# ---- signing in and out

@pytest.mark.asan
def test_an_officer_signs_in_answers_and_signs_out(desk):
    browser = Browser(desk).sign_in()
    who = browser.who().json()
    assert (who["account"], who["role"], who["sites"], who["may_answer"]) == ("officer", "police", None, True)
    assert who["csrf"] == browser.csrf
    line = recorded(desk, "signed_in", by="officer")
    assert line["role"] == "police" and line["address"] == "127.0.0.1"
    press = desk.button().press()
    press.receipt("recorded")
    assert browser.deed(press, "acknowledge").status_code == 200
    assert recorded(desk, "acknowledged", by="officer")["role"] == "police"
    assert browser.ask("DELETE", "/api/v1/session").json() == {"ended": 1}
    assert "__Host-tocsin" not in browser.cookies
    assert recorded(desk, "signed_out", by="officer")["reason"] == "asked"
    assert browser.who().status_code == 401


@pytest.mark.asan
def test_wrong_passwords_wait_longer_and_the_right_one_works_afterwards(desk):
    """T68. Also: what is wrong does not tell which accounts there are."""
    browser = Browser(desk)
    first = [browser.try_in("officer", f"guess number {n}") for n in range(3)]
    nobody = Browser(desk).try_in("nobody-here", "guess number 0")
    assert [answer.status_code for answer in first] == [401, 401, 401]
    assert [answer.json()["retry_after_s"] for answer in first] == [0, 0, 1]
    assert {**first[0].json()} == {**nobody.json()}
    soon = [Browser(desk).try_in("officer", "one more") for _ in range(3)]  # if a second has passed, it is two then, and four
    assert 429 in [answer.status_code for answer in soon]
    refused = next(answer for answer in soon if answer.status_code == 429)
    assert refused.json()["type"] == "urn:tocsin:too-soon" and int(refused.headers["Retry-After"]) == refused.json()["retry_after_s"] >= 1
    desk.wait_for(lambda: browser.try_in("officer").status_code == 200, "the right password is taken")
    reasons = Counter(line["reason"] for line in refusals(desk, "sign_in_refused", 7))
    assert reasons["wrong"] >= 4 and reasons["too_soon"] >= 1
    assert {line.get("by") for line in desk.journal("sign_in_refused")} == {"officer", None}


def test_a_browser_that_signed_in_before_is_not_kept_out_by_others(desk):
    """An attacker behind the same address, or anywhere, makes the account wait for himself only."""
    officer = Browser(desk).sign_in()
    officer.ask("DELETE", "/api/v1/session")
    attacker, forged = Browser(desk), Browser(desk)
    known = officer.cookies["__Host-tocsin-known"]
    for cookie in (known[:-2] + ("AA" if known[-2:] != "AA" else "BB"), known.replace("officer.", "colleague."), known + "A", "officer..", ""):
        forged.cookies["__Host-tocsin-known"] = cookie
        forged.try_in("officer", "a guess that is wrong")
    assert attacker.try_in("officer", "a guess that is wrong").json()["retry_after_s"] > 0, "all these are one to the daemon"
    assert officer.try_in("officer", "mistyped by himself").json()["retry_after_s"] == 0
    assert officer.try_in("officer").status_code == 200
    desk.wait_for(lambda: attacker.try_in("officer").status_code == 200, "nobody is locked out, not even he")


def test_a_flood_of_strangers_keeps_no_known_browser_out(desk):
    """One attacker with many connections and many names: he finds the door shut, the officer does not."""
    officer = Browser(desk).sign_in()
    shut, over = threading.Event(), threading.Event()

    def attack(number):
        with requests.Session() as stranger:
            for n in itertools.count():
                if over.is_set():
                    return
                answer = stranger.post(desk.daemon.url + "/api/v1/session", json={"account": f"x{number}-{n}", "password": "x"})
                if answer.status_code == 503 and int(answer.headers.get("Retry-After", 0)) > 0:
                    shut.set()

    attackers = [threading.Thread(target=attack, args=(number,), daemon=True) for number in range(104)]
    for attacker in attackers:
        attacker.start()
    assert shut.wait(PATIENCE_S)
    answers = [officer.try_in("officer").status_code for _ in range(5)]
    over.set()
    for attacker in attackers:
        attacker.join()
    assert answers == [200] * 5


def test_refused_sign_ins_cannot_fill_the_journal(desk):
    browser = Browser(desk)
    for n in range(200):
        browser.try_in(f"name-{n}", "a guess that is wrong") if n < 4 else browser.ask(
            "POST", "/api/v1/session", headers={"Origin": "http://evil.example"}, json={"account": "officer", "password": "x"})
    desk.wait_for(lambda: sum(line.get("count", 1) for line in desk.journal("sign_in_refused")) == 200,
                  "all are counted", timeout_s=30)
    assert len(desk.journal("sign_in_refused")) <= 40


@pytest.mark.asan
def test_sessions_are_new_and_do_not_outlive_themselves(desk):
    """T66: fixation, reuse after sign-out, ids that cannot be guessed."""
    fixed = Browser(desk)
    fixed.cookies["__Host-tocsin"] = "A" * 43
    fixed.sign_in()
    assert fixed.cookies["__Host-tocsin"] != "A" * 43
    before = dict(fixed.cookies)
    fixed.sign_in()
    assert fixed.cookies["__Host-tocsin"] != before["__Host-tocsin"], "a new id at each sign-in"
    old = Browser(desk)
    old.cookies = before
    assert old.who().status_code == 401, "the one it took the place of is over"
    assert recorded(desk, "signed_out", by="officer")["reason"] == "renewed"
    kept = dict(fixed.cookies)
    fixed.ask("DELETE", "/api/v1/session")
    thief = Browser(desk)
    thief.cookies, thief.csrf = kept, fixed.csrf
    assert thief.who().status_code == 401
    for bad in ("", "A" * 42, "A" * 44, "A" * 10000, "%00", "../../x", "' OR 1=1 --", fixed.csrf):
        thief.cookies = {"__Host-tocsin": bad}
        assert thief.who().status_code in (400, 401, 431)


def test_ids_are_random(desk):
    ids = []
    for n in range(8):
        browser = Browser(desk).sign_in(["officer", "colleague"][n % 2])
        ids += [browser.cookies["__Host-tocsin"], browser.csrf]
    assert len(set(ids)) == 16 and all(len(text) == 43 for text in ids)
    letters = Counter("".join(text[:-1] for text in ids))
    total = sum(letters.values())
    entropy = -sum(n / total * math.log2(n / total) for n in letters.values())
    assert entropy > 5.8, "of 6 bits a character, of which this few letters show less"


def test_signing_out_everywhere_ends_every_session_and_its_feed(desk):
    here, there, other = Browser(desk).sign_in(), Browser(desk).sign_in(), Browser(desk).sign_in("colleague")
    ended = feed_end(desk, there)
    assert here.ask("DELETE", "/api/v1/session?everywhere=true").json() == {"ended": 2}
    assert here.who().status_code == 401 and there.who().status_code == 401 and other.who().status_code == 200
    assert ended.wait(PATIENCE_S), "its feed goes on"


def test_a_new_password_ends_the_sessions(desk):
    browser = Browser(desk).sign_in()
    add_account(desk, "officer", command="password", password="another one entirely")
    desk.daemon.signal(signal.SIGHUP)
    desk.wait_for(lambda: browser.who().status_code == 401, "the session is over")
    assert recorded(desk, "signed_out", by="officer")["reason"] == "removed"
    assert Browser(desk).try_in("officer").status_code == 401
    assert Browser(desk).try_in("officer", "another one entirely").status_code == 200


def test_a_session_that_makes_room_takes_its_feed_along(desk):
    """A page that goes on hearing pings and nothing else would say that it is live."""
    screens = [Browser(desk).sign_in() for _ in range(32)]
    ends = [feed_end(desk, screen) for screen in screens]
    Browser(desk).sign_in()
    assert recorded(desk, "signed_out", by="officer")["reason"] == "crowded"
    [thrown_out] = [n for n, screen in enumerate(screens) if screen.who().status_code == 401]
    assert ends[thrown_out].wait(PATIENCE_S), "its feed goes on"
    assert [n for n, end in enumerate(ends) if end.is_set()] == [thrown_out]


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_token_that_is_no_more_ends_its_feed(desk, change):
    ended, kept = feed_end(desk, "desk-2"), feed_end(desk, "desk-1")
    file = desk.folder / "tocsin.yaml"
    main = yaml.safe_load(file.read_text())
    account = next(account for account in main["accounts"] if account["id"] == "desk-2")
    if change == "replaced":
        account["token_hashes"] = ["sha256:" + hashlib.sha256(b"tk_another").hexdigest()]
    else:
        main["accounts"].remove(account)
    file.write_text(yaml.safe_dump(main, allow_unicode=True))
    desk.daemon.signal(signal.SIGHUP)
    assert ended.wait(PATIENCE_S), "its feed goes on"
    assert desk.ask("GET", "/api/v1/me", "desk-2").status_code == 401
    assert not kept.is_set()


# ---- other pages

@pytest.mark.asan
def test_another_page_changes_nothing(desk):
    """T65: no token, a wrong one, another origin, GET."""
    browser, other = Browser(desk).sign_in(), Browser(desk).sign_in("colleague")
    press = desk.button().press()
    press.receipt("recorded")
    url, token = desk.daemon.url, browser.csrf
    attempts = [
        {"X-CSRF-Token": token},
        {"Origin": url},
        {"Origin": url, "X-CSRF-Token": ""},
        {"Origin": url, "X-CSRF-Token": "A" * 43},
        {"Origin": url, "X-CSRF-Token": other.csrf},
        {"Origin": "http://evil.example", "X-CSRF-Token": token},
        {"Origin": "null", "X-CSRF-Token": token},
        {"Origin": url + ".evil.example", "X-CSRF-Token": token},
        {"Origin": url, "Sec-Fetch-Site": "cross-site", "X-CSRF-Token": token},
        {"Origin": url, "Sec-Fetch-Site": "same-site", "X-CSRF-Token": token},
    ]
    for headers in attempts:
        answer = browser.deed(press, "acknowledge", headers=headers, own_page=False)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:tocsin:foreign"), headers
    answer = browser.ask("GET", f"/api/v1/alarms/{press.alarm_id}/acknowledge")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:tocsin:foreign")
    assert browser.ask("GET", "/api/v1/alarms", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    answer = Browser(desk).ask("POST", "/api/v1/session", own_page=False, headers={"Origin": "http://evil.example"},
                               json={"account": "officer", "password": PASSWORD})
    assert answer.status_code == 403, "nobody is signed in by another page"
    assert desk.alarm(press)["state"] == "open"
    lines = refusals(desk, "action_refused", len(attempts) + 2)
    assert len(lines) == len(attempts) + 2 and {line["reason"] for line in lines} == {"foreign"} and {line["by"] for line in lines} == {"officer"}
    assert lines[0]["action"] == f"POST /api/v1/alarms/{press.alarm_id}/acknowledge"
    assert desk.ask("POST", f"/api/v1/alarms/{press.alarm_id}/acknowledge", headers={"Origin": "http://evil.example"}).status_code == 200, \
        "a token is nobody's cookie"


def test_another_page_presses_nothing(desk):
    """T65 for the software button: refused, nothing opened, told to the journal under whose name it was tried."""
    browser = Browser(desk).sign_in("li")
    url, press = desk.daemon.url, {"epoch": "evil", "n": 1, "kind": "panic"}
    attempts = [{"Origin": "http://evil.example", "X-CSRF-Token": browser.csrf}, {"Origin": "null", "X-CSRF-Token": browser.csrf},
                {"Origin": url}, {"Origin": url, "Sec-Fetch-Site": "cross-site", "X-CSRF-Token": browser.csrf}]
    for headers in attempts:
        answer = browser.ask("POST", "/api/v1/presses", own_page=False, headers=headers, json=press)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:tocsin:foreign"), headers
    lines = refusals(desk, "action_refused", len(attempts))
    assert {(line["by"], line["action"], line["reason"]) for line in lines} == {("li", "POST /api/v1/presses", "foreign")}
    assert not desk.journal("press_received") and not desk.journal("press_refused")
    assert browser.ask("POST", "/api/v1/presses", json=press).json()["stage"] == "recorded", "the same press from the page itself"


# ---- roles and sites

@pytest.mark.asan
def test_what_someone_may_not_is_refused_and_recorded(desk):
    press = desk.button("school-1/room-101").press()
    press.receipt("recorded")
    teacher, watcher = Browser(desk).sign_in("teacher"), Browser(desk).sign_in("watcher")
    version = desk.alarm(press)["version"]
    for deed, body in (("acknowledge", None), ("coming", {}), ("notes", {"text": "x"}),
                       ("close", {"disposition": "false", "seen_version": version})):
        assert teacher.deed(press, deed, json=body).status_code == 404
        assert watcher.deed(press, deed, json=body).status_code == 403
    assert teacher.ask("GET", f"/api/v1/alarms/{press.alarm_id}").status_code == 404
    assert teacher.ask("GET", "/api/v1/alarms?site=school-1").status_code == 400
    assert teacher.ask("GET", "/api/v1/sites/school-1").status_code == 404
    assert teacher.ask("GET", "/api/v1/maps/school-1/yard").status_code == 404
    assert teacher.ask("GET", "/api/v1/journal").status_code == 403
    assert teacher.ask("GET", "/api/v1/alarms").json()["alarms"] == []
    assert watcher.ask("GET", "/api/v1/journal").status_code == 200
    after = desk.alarm(press)
    assert after["state"] == "open" and not after["notes"] and "acknowledged_by" not in after
    lines = refusals(desk, "action_refused", 13)
    tried = Counter((line["by"], line["reason"]) for line in lines)
    assert tried == {("teacher", "site"): 8, ("watcher", "role"): 4, ("teacher", "role"): 1}
    seen = [line["type"] for line in (json.loads(text) for text in feed_lines(desk, teacher))]
    assert "action_refused" not in seen and "signed_in" not in seen and "press_received" not in seen


def feed_lines(desk, browser):
    """What its feed says of all that was so far."""
    answer = requests.get(desk.daemon.url + "/api/v1/feed?from=0", stream=True, timeout=PATIENCE_S,
                          headers={"Cookie": f"__Host-tocsin={browser.cookies['__Host-tocsin']}"})
    newest, lines = len(desk.journal()), []
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("data: "):
            lines.append(line[6:])
        if line == f"id: {newest}":
            answer.close()
            return lines
    return lines


@pytest.mark.asan
def test_an_alarm_says_how_to_get_in(desk):
    press = desk.button("school-1/room-101").press()
    press.receipt("recorded")
    alarm = desk.alarm(press)
    guide = alarm["guide"]
    assert (guide["access"], guide["time_zone"], guide["address"]) == ("North gate, ring for the guard", "Asia/Urumqi", "1 Example Road")
    zone = next(zone for zone in guide["zones"] if zone["id"] == alarm["presses"][0]["zone"]["id"])
    assert (zone["map"], zone["x"], zone["y"]) == ("yard", 12.5, 80)
    assert zone["cameras"] == [{"name": "Corridor", "url": "rtsp://cameras.example/7"}]
    assert [due["what"] for due in alarm["due"]] == ["answer"] and alarm["due"][0]["at"] == alarm["step_due_at"]
    assert Browser(desk).sign_in().ask("GET", "/api/v1/sites/school-1").json() == guide
    image = desk.ask("GET", guide["maps"][0]["image"])
    assert image.status_code == 200 and image.headers["Content-Type"] == "image/svg+xml" and image.text.startswith("<svg")
    assert "sandbox" in image.headers["Content-Security-Policy"]
    for path in ("/api/v1/maps/school-1/nothing", "/api/v1/maps/school-1/..%2fyard", "/api/v1/maps/school-1/yard.svg", "/api/v1/maps/nowhere/yard"):
        assert desk.ask("GET", path).status_code in (400, 404)
    told = desk.police.told("alarm.opened", press)
    assert "North gate" not in json.dumps(told.body) and "cameras" not in json.dumps(told.body), "endpoints are told what they need"


def test_maps_on_a_disk_that_does_not_answer_keep_nobody_else_waiting(desk):
    """They may lie on another machine: who signs in, or looks at an alarm that is over, does not wait for it."""
    press = desk.button("school-1/room-101").press()
    press.receipt("recorded")
    desk.alarm(press)  # the journal's file is open for reading from now on
    address = ("127.0.0.1", int(desk.daemon.url.rsplit(":", 1)[1]))
    question = f"GET /api/v1/maps/school-1/yard HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {desk.token('desk-1')}\r\n\r\n"
    with desk.inject("openat:delay_enter=14000000"), contextlib.ExitStack() as open_ones:
        connections = [open_ones.enter_context(socket.create_connection(address)) for _ in range(20)]
        for connection in connections:
            connection.sendall(question.encode())
        assert desk.ask("GET", "/api/v1/me").status_code == 200
        Browser(desk).sign_in()
        assert desk.ask("GET", f"/api/v1/alarms/{press.alarm_id}").status_code == 200
        assert not select.select(connections, [], [], 0)[0], "the maps were read before"
    assert desk.ask("GET", "/api/v1/maps/school-1/yard").status_code == 200


def test_the_replay_shows_what_was_known(desk):
    """Each line of an alarm's life: the board of that moment is what the lines up to there say, and no later word."""
    browser = Browser(desk).sign_in()
    press = desk.button().press()
    press.receipt("recorded")
    assert browser.deed(press, "acknowledge").status_code == 200
    desk.button("school-1/room-102").press().receipt("recorded")
    assert browser.deed(press, "coming").status_code == 200
    desk.close_alarm(press)
    seen = []
    for event in desk.alarm(press)["events"]:
        board = desk.api("replay", seq=event["seq"])
        alone = desk.api("replay", seq=event["seq"], alarm=press.alarm_id)["alarms"][0]
        alarm = next(alarm for alarm in board["alarms"] if alarm["id"] == press.alarm_id)
        assert board["seq"] == event["seq"] and board["at"] == event["at"]
        assert {name: alarm[name] for name in ("state", "version", "press_count", "deliveries")} == {
            name: alone[name] for name in ("state", "version", "press_count", "deliveries")}
        seen.append((event["type"], alarm["state"], alarm["press_count"]))
    states = [state for _, state, _ in seen]
    assert states[0] == "open" and seen[-1][1] == "closed" and sorted(set(states)) == ["acknowledged", "closed", "coming", "open"]
    for type, state in (("acknowledged", "acknowledged"), ("coming", "coming"), ("closed", "closed")):
        assert next(after for what, after, _ in seen if what == type) == state
    first = desk.api("replay", seq=1)
    assert first["alarms"] == [] and first["seq"] == 1, "going back is possible"
    assert desk.ask("GET", "/api/v1/replay").status_code == 400 and desk.ask("GET", "/api/v1/replay?seq=0").status_code == 400
    assert desk.ask("GET", "/api/v1/replay?seq=5&alarm=" + "a" * 21).status_code == 404
    assert Browser(desk).sign_in("teacher").ask("GET", "/api/v1/replay?seq=1").status_code == 403


def test_two_officers_at_once(desk):
    """T67: one wins, the other is told who."""
    press = desk.button().press()
    press.receipt("recorded")
    browsers = [Browser(desk).sign_in("officer"), Browser(desk).sign_in("colleague")]
    answers = [None, None]

    def acknowledge(n):
        answers[n] = browsers[n].deed(press, "acknowledge")

    threads = [threading.Thread(target=acknowledge, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    winner = answers.index(next(answer for answer in answers if answer.status_code == 200))
    assert answers[1 - winner].json()["by"] == ["officer", "colleague"][winner]


# ---- the page

@pytest.mark.asan
def test_the_page_and_its_headers(desk):
    browser = Browser(desk)
    page = browser.ask("GET", "/", headers={"Accept-Encoding": "identity"})
    assert page.status_code == 200 and page.text == PAGE and page.headers["Content-Type"] == "text/html; charset=utf-8"
    for answer in (page, browser.ask("GET", "/assets/desk-1a2b.js")):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'") and "unsafe" not in policy and "*" not in policy
        assert "frame-ancestors 'none'" in policy and answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-cache"
    assert "immutable" in browser.ask("GET", "/assets/desk-1a2b.js").headers["Cache-Control"]
    packed = browser.ask("GET", "/index.html", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and packed.text == PAGE
    same = browser.ask("GET", "/", headers={"If-None-Match": page.headers["ETag"]})
    assert same.status_code == 304 and not same.content
    assert browser.ask("HEAD", "/").status_code == 200
    assert browser.ask("POST", "/").status_code == 404
    (desk.page / "index.html").write_text(PAGE + "new")
    (desk.page / "index.html.gz").unlink()
    desk.daemon.signal(signal.SIGHUP)
    desk.wait_for(lambda: browser.ask("GET", "/").text == PAGE + "new", "the new page is served")


@pytest.mark.asan
def test_no_path_leads_out_of_the_table(desk):
    """T70, over a connection of our own: a client library would tidy the path up."""
    host, port = desk.daemon.url.removeprefix("http://").split(":")
    secret = hashlib.sha256((desk.folder / "journal.key").read_bytes()).hexdigest()
    for path in ("/../tocsin.yaml", "/assets/../../tocsin.yaml", "/%2e%2e/tocsin.yaml", "/..%2ftocsin.yaml", "/%2e%2e%2ftocsin.yaml",
                 "/....//tocsin.yaml", "/.../...//tocsin.yaml", "/assets/..%5c..%5ctocsin.yaml", "//etc/passwd", "/%00/index.html",
                 "/index.html%00.js", "/./index.html", "/.hidden.js", "/notes.secret", "/link.txt", "/index.html.gz", "/assets",
                 "/assets/", "/index.html/", "/INDEX.HTML", "/index.html?x=1;ls", "/' OR 1=1--", "/%c0%ae%c0%ae/tocsin.yaml",
                 "/" + "a/" * 5000, "/file:///etc/passwd"):
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
        connection.putrequest("GET", path.replace(" ", "%20"), skip_host=False)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        allowed = (200,) if path == "/index.html?x=1;ls" else (400, 404, 414, 431)
        assert answer.status in allowed, (path[:60], answer.status)
        assert b"root:" not in body and b"journal_key_file" not in body and secret.encode() not in body


def test_hostile_words_stay_words(desk):
    """T64, T69: what was typed reaches neither headers nor log lines nor the journal as anything else."""
    teacher = Browser(desk).sign_in("teacher")
    for path, action in (("maps/school-1/yard", "/api/v1/maps/school-1/yard"), ("maps/school-1/%1B%5B31m%22", "/api/v1/maps/{id}/{id}")):
        assert teacher.ask("GET", "/api/v1/" + path).status_code == 404
        recorded(desk, "action_refused", by="teacher", action="GET " + action)
    long_name = "x" * 100
    for account in ("<script>alert(1)</script>", "a\r\nSet-Cookie: x=y", "\u202egnp.exe", "😀" * 20, "%s%n%s", "$(reboot)", "../officer",
                    "officer\u0000", long_name, "x" * 10000, "", None, 7, ["officer"], {"id": "officer"}):
        answer = Browser(desk).ask("POST", "/api/v1/session", json={"account": account, "password": "a guess that is wrong"})
        assert answer.status_code in (400, 401, 422, 429), account
        assert answer.headers["Content-Type"] == "application/problem+json" and "x" not in answer.cookies
        assert set(answer.headers) & {"Set-Cookie"} == set()
    for body in (b"", b"{", b"[]", b'{"account":"officer"}', b'{"account":"officer","password":""}', b"account=officer&password=x",
                 b'{"account":"officer","password":"x","admin":true}', b'{"account":"officer","account":"admin","password":"x"}',
                 json.dumps({"account": "officer", "password": "x" * 1001}).encode(), b'{"account":"officer","password":"a\\u0000b"}'):
        answer = Browser(desk).ask("POST", "/api/v1/session", data=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body
    assert Browser(desk).ask("POST", "/api/v1/session", data=b"account=officer", headers={
        "Content-Type": "application/x-www-form-urlencoded"}).status_code == 415
    assert all(line.isprintable() or "\n" == line[-1:] for line in desk.daemon.log().splitlines())
    assert "script" not in desk.daemon.log()
    assert not [line for line in desk.journal("sign_in_refused") if line.get("by") not in (None, "officer")]


def test_without_a_page_it_says_so(make_house, tmp_path):
    house = make_house(adjust=lambda main: main["daemon"].update(http_desk_folder=str(tmp_path / "nothing")))
    answer = house.ask("GET", "/", account=None)
    assert answer.status_code == 404 and "not installed" in answer.text and "-Ddesk" in answer.text
    assert house.ask("GET", "/api/v1/me").status_code == 200
