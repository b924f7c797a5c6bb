"""Every call that the desk's page can make, made wrongly. The calls are those of proto/openapi.yaml: a new one is tried from the
day on which it is written down. Each is answered with a problem, changes nothing, and what somebody may not is in the journal."""
import re

import pytest
import yaml

from house import ROOT
from test_desk_session import PASSWORD, Browser, desk  # noqa: F401: a fixture

SPEC = yaml.safe_load((ROOT / "proto" / "openapi.yaml").read_text())
PAGE = (ROOT / "clients" / "desk" / "src" / "api.ts").read_text() + (ROOT / "clients" / "desk" / "src" / "feed.ts").read_text()
OPERATIONS = [(method.upper(), path) for path, item in SPEC["paths"].items() if path.startswith("/api/v1/")
              for method in item if method in ("get", "post", "delete")]
WRITES = [(method, path) for method, path in OPERATIONS if method != "GET" and path != "/api/v1/session"]
JOURNAL_ONLY = ("/api/v1/journal", "/api/v1/replay")
VALUES = ("", "%F0%9F%8F%AB", "-1", "1e3", "99999999999999999999999", "a%00b", "%27%20OR%201=1--", "x" * 300, "[1]")
NO_WORDS = ("", "a%00b", "x" * 300)  # other words may be looked for
NOT_EVEN_ODD = "/api/v1/presses"  # whatever the body is, it is a press


def resolved(thing):
    return SPEC["components"][thing["$ref"].split("/")[2]][thing["$ref"].split("/")[3]] if "$ref" in thing else thing


def parameters(method, path, only_needed=False):
    item = SPEC["paths"][path]
    listed = [resolved(p) for p in [*item.get("parameters", []), *item[method.lower()].get("parameters", [])]]
    return [p["name"] for p in listed if p["in"] == "query" and (p.get("required") or not only_needed)]


class World:
    """An alarm of school-1, and who tries something about it."""

    def __init__(self, house):
        self.house = house
        self.press = house.button("school-1/room-101").press()
        self.press.receipt("recorded")
        alarm = house.alarm_when(self.press, lambda alarm: alarm["deliveries"][0]["state"] == "received", "it is told")
        self.version = alarm["version"]
        self.people = {name: Browser(house).sign_in(name) for name in ("officer", "teacher", "watcher", "li")}
        self.before = self.standing()

    def standing(self):
        """All that a call could change about the alarm."""
        alarm = self.house.alarm(self.press)
        return {name: alarm.get(name) for name in ("state", "acknowledged_by", "coming_by", "on_scene_by", "closed_by", "disposition")} | {
            "notes": alarm["notes"], "presses": len(alarm["presses"])}

    def path(self, path):
        return path.replace("{id}", "school-1" if "/sites/" in path else self.press.alarm_id).replace("{site}", "school-1").replace("{map}", "yard")

    def ask(self, who, method, path, **options):
        if path.startswith("/api/v1/feed"):
            options["stream"] = True
        browser = self.people[who] if who else Browser(self.house)
        return browser.ask(method, self.path(path), **options)

    def refused(self, answer, *statuses, what):
        assert answer.status_code in statuses, (what, answer.status_code, answer.text[:300])
        assert answer.headers["Content-Type"] == "application/problem+json", what
        problem = answer.json()
        assert problem["type"].startswith("urn:tocsin:") and problem["status"] == answer.status_code and problem["detail"], what
        return problem

    def unchanged(self):
        assert self.standing() == self.before
        return True

    def attempts(self, by=None):
        """What is recorded of who tried what he may not: (who, what, why)."""
        return [(line.get("by"), line["action"], line["reason"]) for line in self.house.journal("action_refused") if by in (None, line.get("by"))]


@pytest.fixture
def world(desk):  # noqa: F811
    made = World(desk)
    yield made
    made.unchanged()


def recorded(world, wanted):
    """Each attempt has its line; when many come at once some lines stand for several and name the last."""
    def count():
        return sum(line.get("count", 1) for line in world.house.journal("action_refused"))
    world.house.wait_for(lambda: count() >= len(wanted), f"{len(wanted)} attempts are recorded", timeout_s=40)
    assert count() == len(wanted)
    assert set(world.attempts()) <= set(wanted)


def test_each_call_of_the_page_is_written_down():
    """So that what follows tries all of them."""
    asked = set(re.findall(r"'(?:GET|POST|DELETE)', [`']([a-z/-]+)", PAGE)) | set(re.findall(r"[`']((?:replay|alarms|history|journal)[?/][^`']*)", PAGE))
    roots = {re.split(r"[?/$]", path)[0] for path in asked} | set(re.findall(r"/api/v1/(\w+)", PAGE))
    assert len(roots) >= 10
    assert roots <= {path.split("/")[3] for _, path in OPERATIONS}, roots


def test_without_a_session(world):
    for method, path in OPERATIONS:
        if (method, path) != ("POST", "/api/v1/session"):
            world.refused(world.ask(None, method, path, json={} if method == "POST" else None), 401, what=(method, path))
    assert not world.attempts()


def test_unknown_and_impossible_parameters(world):
    for method, path in OPERATIONS:
        who = "li" if path == NOT_EVEN_ODD else "officer"
        assert world.refused(world.ask(who, method, path + "?nothing=1"), 400, what=path)["field"] == "nothing"
        for name in parameters(method, path):
            for value in VALUES:
                if (name, value) == ("offset_min", "-1") or name == "text" and value not in NO_WORDS:
                    continue
                needed = "".join(f"{other}=1&" for other in parameters(method, path, only_needed=True) if other != name)
                answer = world.ask("officer", method, f"{path}?{needed}{name}={value}")
                statuses = (400, 404) if name == "alarm" else (400,)
                assert world.refused(answer, *statuses, what=(path, name, value)).get("field", name) == name
            twice = world.ask("officer", method, f"{path}?{name}=1&{name}=1")
            world.refused(twice, 400, what=(path, name, "twice"))
    assert world.people["officer"].who().status_code == 200, "nobody was signed out"


def test_bodies_that_are_none(world):
    right = {"notes": {"text": "x"}, "close": {"disposition": "false", "seen_version": 1}}
    for method, path in WRITES:
        if path == NOT_EVEN_ODD:
            continue
        good = right.get(path.rsplit("/", 1)[1], {})
        for body in (b"[]", b"null", b"7", b'"text"', b"{", b"\xff\xfe", b'{"a":1,"a":2}', b'{"nothing":1}', b'{"text":7,"note":7}', b'{"by":"officer"}',
                     b'{"note":{"x":1}}', b'{"text":' + b"[" * 5000 + b"]" * 5000 + b"}"):
            world.refused(world.ask("officer", method, path, data=body, headers={"Content-Type": "application/json"}), 400, 422, what=(path, body[:40]))
        for type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            world.refused(world.ask("officer", method, path, json=good, headers={"Content-Type": type}), 415, what=(path, type))
        large = b'{"note":"' + b"x" * 70_000 + b'"}'
        world.refused(world.ask("officer", method, path, data=large, headers={"Content-Type": "application/json"}), 413, what=(path, "large"))
    for data in (b"x" * 70_000, b"{" * 70_000):
        world.refused(world.ask("li", "POST", NOT_EVEN_ODD, data=data, headers={"Content-Type": "application/json"}), 413, what="a large press")


def test_of_another_page(world):
    wanted = []
    for method, path in OPERATIONS:
        if (method, path) == ("POST", "/api/v1/session"):
            continue
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            token = {} if method == "GET" else {"X-CSRF-Token": world.people["li"].csrf}
            answer = world.ask("li", method, path, own_page=False, headers={**headers, **token})
            assert world.refused(answer, 403, what=(method, path, headers))["type"] == "urn:tocsin:foreign"
            wanted.append(("li", f"{method} {world.path(path)}", "foreign"))
    recorded(world, wanted)
    assert world.people["li"].who().status_code == 200, "nobody was signed out"


def test_by_who_may_not(world):
    wanted = []
    for method, path in WRITES:
        body = {"text": "x"} if path.endswith("notes") else {"disposition": "false", "seen_version": world.version} if path.endswith("close") else {}
        world.refused(world.ask("watcher", method, path, json=body), 403, what=(method, path))
        wanted.append(("watcher", f"{method} {world.path(path)}", "role"))
        expected, reason = (403, "role") if path == NOT_EVEN_ODD else (404, "site")
        world.refused(world.ask("teacher", method, path, json=body), expected, what=(method, path))
        wanted.append(("teacher", f"{method} {world.path(path)}", reason))
    recorded(world, wanted)


def test_of_another_school(world):
    """Everything that names a school or something of a school: as if it were not there, and recorded."""
    wanted = []
    for method, path in OPERATIONS:
        if method != "GET":
            continue
        if path.startswith(JOURNAL_ONLY):
            world.refused(world.ask("teacher", method, path), 403, what=path)
            wanted.append(("teacher", f"GET {world.path(path)}", "role"))
        elif "{" in path:
            world.refused(world.ask("teacher", method, path), 404, what=path)
            wanted.append(("teacher", f"GET {world.path(path)}", "site"))
        elif "site" in parameters(method, path):
            assert world.refused(world.ask("teacher", method, path + "?site=school-1"), 400, what=path)["field"] == "site"
            wanted.append(("teacher", f"GET {world.path(path)}", "site"))
    assert len(wanted) >= 12
    recorded(world, wanted)


def test_what_is_stale_or_played_back(world):
    """A revision that is over, and a request that somebody wrote down."""
    officer, alarm = world.people["officer"], f"/api/v1/alarms/{world.press.alarm_id}"
    world.house.button("school-1/room-102").press().receipt("recorded")
    stale = officer.ask("POST", alarm + "/close", json={"disposition": "false", "seen_version": world.version})
    assert world.refused(stale, 409, what="stale")["type"] == "urn:tocsin:unseen"
    cookies, token = dict(officer.cookies), officer.csrf
    officer.ask("DELETE", "/api/v1/session")
    officer.sign_in("officer")
    thief = Browser(world.house)
    thief.cookies, thief.csrf = cookies, token
    for deed, body in (("acknowledge", None), ("notes", {"text": "once more"}), ("close", {"disposition": "false", "seen_version": 99})):
        world.refused(thief.ask("POST", f"{alarm}/{deed}", json=body), 401, what="the session is over")
        thief.cookies = dict(officer.cookies)  # the new session with the old token
        assert world.refused(thief.ask("POST", f"{alarm}/{deed}", json=body), 403, what=deed)["type"] == "urn:tocsin:foreign"
        thief.cookies = cookies
    recorded(world, [("officer", f"POST {alarm}/{deed}", "foreign") for deed in ("acknowledge", "notes", "close")])
    world.before["presses"] += 1
    assert officer.deed(world.press, "acknowledge").status_code == 200
    again = officer.deed(world.press, "acknowledge")
    assert world.refused(again, 409, what="twice")["by"] == "officer"
    world.before |= {"state": "acknowledged", "acknowledged_by": "officer"}


def test_signing_in_wrongly(world):
    for body in ([], None, 7, "officer", {}, {"account": "officer"}, {"account": ["officer"], "password": PASSWORD},
                 {"account": "officer", "password": PASSWORD, "role": "admin"}, {"account": "x" * 101, "password": PASSWORD}):
        world.refused(Browser(world.house).ask("POST", "/api/v1/session", json=body), 400, 401, 422, what=body)
    for words in ("?everywhere=perhaps", "?everywhere=", "?everywhere=true&everywhere=false"):
        world.refused(world.people["officer"].ask("DELETE", "/api/v1/session" + words), 400, what=words)
    assert world.people["officer"].who().status_code == 200
