"""The tool against a daemon that misbehaves: hostile names, wrong answers, broken feeds, closed doors."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOCSIN = Path(os.environ.get("TOCSIN_BUILD", ROOT / "build" / "test")) / "clients" / "cli" / "tocsin"
TOKEN = "tk_" + "x" * 43
ALARM = "a" + "b" * 20

pytestmark = pytest.mark.asan

EVIL = "\x1b]0;owned\x07\x1b[2J\u202eteif\u2066\x9b31m\r\nFAKE LINE %s%n"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Fake:
    """Answers what `answers[path without query]` holds: (status, body) or a function of the handler."""

    def __init__(self):
        self.answers, self.asked, self.posted = {}, [], []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.asked.append((self.command, self.path, dict(self.headers)))
                if self.command == "POST":
                    fake.posted.append((self.path, json.loads(body)))
                found = fake.answers.get(self.path.split("?")[0], (404, {"detail": "There is no such thing.", "title": "x"}))
                if callable(found):
                    return found(self)
                status, content = found
                self.send(status, content if isinstance(content, bytes) else json.dumps(content).encode())

            def send(self, status, content, **headers):
                self.send_response(status)
                self.send_header("Content-Type", "application/problem+json" if status >= 400 else "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def fake():
    it = Fake()
    yield it
    it.close()


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(TOKEN + "\n")
    return file


def environment(fake, token_file, **more):
    settings = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC",
                "TOCSIN_URL": fake.url if fake else "", "TOCSIN_TOKEN_FILE": str(token_file), **more}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            settings[name] = os.environ[name]
    return settings


@pytest.fixture
def tool(fake, token_file):
    def run(*words, stdin="", **more):
        return subprocess.run([str(TOCSIN), *words], env=environment(fake, token_file, **more), input=stdin, capture_output=True,
                              text=True, errors="surrogateescape", timeout=60)
    return run


def event(seq, type, **members):
    return {"seq": seq, "at": "2026-11-23T08:00:00.000Z", "clock": seq * 1000, "type": type, "alarm": ALARM, **members}


def alarm(**members):
    return {"id": ALARM, "site": {"id": "school-1", "name": "School"}, "class": "security", "mode": "real", "kind": "panic",
            "state": "open", "stage": "recorded", "version": 7, "opened_at": "2026-11-23T08:00:00.000Z", "step": 1, "steps": 2,
            "press_count": 3, "deliveries": [], "presses": [], "events": [], "notes": [], **members}


# ---- nothing from outside steers the terminal (and nobody forges a line)

def evil_alarm():
    return alarm(site={"id": EVIL, "name": EVIL, "address": EVIL, "contacts": [{"name": EVIL, "phone": EVIL}]}, plan=EVIL, kind=EVIL,
                 state=EVIL, mode=EVIL, acknowledged_by=EVIL,
                 presses=[{"device": EVIL, "kind": EVIL, "at": EVIL, "zone": {"id": EVIL, "name": EVIL}}],
                 deliveries=[{"endpoint": EVIL, "role": EVIL, "step": 1, "state": EVIL, "version": 1, "attempts": 1, "since": None}],
                 events=[event(1, "acknowledged", by="desk", role="police", note="00"), event(2, EVIL),
                         event(3, "delivery_result", endpoint="police", version=1, presses=1, attempt=1, outcome="failed", status=0,
                               ms=1, text=EVIL)],
                 notes=[{"seq": 1, "text": EVIL}])


@pytest.mark.parametrize("words", [["alarms"], ["show", ALARM], ["troubles"], ["devices"], ["endpoints"], ["replay", ALARM, "--speed", "0"],
                                   ["ack", ALARM], ["close", ALARM, "--disposition", "real"], ["replay", "--speed", "0"],
                                   ["watch", "--from", "1", "--count", "1"], ["alarms", "--json"]])
def test_hostile_names_stay_text(fake, tool, words):
    line = json.dumps(event(1, "trouble_raised", code="endpoint", part=EVIL, text=EVIL), ensure_ascii=False)
    fake.answers = {
        "/api/v1/alarms": (200, {"alarms": [evil_alarm()], "next": None}),
        f"/api/v1/alarms/{ALARM}": (200, evil_alarm()),
        f"/api/v1/alarms/{ALARM}/acknowledge": (409, {"type": "x", "title": EVIL, "status": 409, "detail": EVIL}),
        f"/api/v1/alarms/{ALARM}/close": (403, {"type": "x", "title": EVIL, "status": 403, "detail": EVIL}),
        "/api/v1/troubles": (200, {"troubles": [{"code": EVIL, "part": EVIL, "text": EVIL, "at": EVIL}]}),
        "/api/v1/devices": (200, {"devices": [{"site": EVIL, "id": EVIL, "zone": {"name": EVIL}, "heard_at": EVIL}], "next": None}),
        "/api/v1/endpoints": (200, {"endpoints": [{"id": EVIL, "name": EVIL, "role": EVIL, "state": EVIL, "text": EVIL}]}),
        "/api/v1/sites": (200, {"sites": [{"id": EVIL, "name": EVIL, "zones": [{"id": EVIL, "name": EVIL}]}]}),
        "/api/v1/journal": (200, line.encode() + b"\n"),
        "/api/v1/journal/checkpoint": (200, b"tocsin.test\n1\n" + b"A" * 43 + b"=\n\n"),
        "/api/v1/feed": lambda handler: handler.send(200, f"id: 1\ndata: {line}\n\n".encode()),
    }
    done = tool(*words)
    for line in (done.stdout + done.stderr).splitlines():
        assert not STEERING.search(line), line
        assert not line.startswith("FAKE LINE")
    assert "teif" in done.stdout + done.stderr  # it was shown
    assert done.returncode in (0, 4, 5), done.stderr


def test_journal_lines_are_exact_in_a_pipe_and_harmless_on_a_terminal(fake, tool, token_file):
    line = json.dumps(event(1, "trouble_raised", code="endpoint", part="x", text=EVIL), ensure_ascii=False)
    fake.answers["/api/v1/feed"] = lambda handler: handler.send(200, f"id: 1\ndata: {line}\n\n".encode())
    assert tool("watch", "--json", "--count", "1").stdout == line + "\n"
    ours, theirs = os.openpty()
    subprocess.run([str(TOCSIN), "watch", "--json", "--count", "1"], env=environment(fake, token_file), stdout=theirs,
                   stderr=subprocess.DEVNULL, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert not STEERING.search(shown.removesuffix("\r\n")) and json.loads(shown) == json.loads(line)


# ---- what the exit code says

PROBLEMS = [(401, 4), (403, 4), (404, 1), (409, 5), (400, 2), (422, 2), (500, 3), (503, 3), (302, 3)]


@pytest.mark.parametrize("status,code", PROBLEMS)
def test_the_exit_code_follows_the_answer(fake, tool, status, code):
    problem = {"type": "urn:tocsin:x", "title": "T", "status": status, "detail": "This is why."}
    fake.answers = {f"/api/v1/alarms/{ALARM}/acknowledge": (status, problem), "/api/v1/alarms": (status, problem)}
    for words in (["ack", ALARM], ["alarms"]):
        done = tool(*words)
        assert done.returncode == code
        assert done.stderr == "tocsin: This is why.\n" and done.stdout == ""
        assert json.loads(tool(*words, "--json").stdout) == problem


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'{"a":1,"a":2}', b"\xff", b"{" * 100000])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_not_ours_is_an_error(fake, tool, body, status):
    fake.answers = {"/api/v1/alarms": (status, body)}
    done = tool("alarms")
    assert done.returncode == 3 and done.stderr.startswith(f"tocsin: {fake.url} answered")


def test_a_redirect_is_not_followed_with_the_token(fake, tool):
    other = Fake()
    try:
        fake.answers = {"/api/v1/alarms": lambda handler: handler.send(302, b"{}", Location=other.url + "/api/v1/alarms")}
        assert tool("alarms").returncode == 3
        assert other.asked == []
    finally:
        other.close()


def test_nobody_there_is_exit_code_3(tool, token_file):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = tool("alarms", "--url", f"http://127.0.0.1:{free.getsockname()[1]}")
    assert done.returncode == 3 and "cannot be reached" in done.stderr


def test_a_daemon_that_never_answers_is_given_up(fake, tool):
    fake.answers = {"/api/v1/alarms": lambda handler: time.sleep(5)}
    start = time.monotonic()
    done = tool("alarms", "--timeout", "1")
    assert done.returncode == 3 and time.monotonic() - start < 4


def test_proxies_of_the_environment_get_no_token(fake, tool):
    fake.answers = {"/api/v1/alarms": (200, {"alarms": [], "next": None})}
    assert tool("alarms", http_proxy="http://127.0.0.1:9", all_proxy="http://127.0.0.1:9").returncode == 0


# ---- the token

def test_the_token_is_sent_and_never_shown(fake, tool):
    fake.answers = {"/api/v1/alarms": (200, {"alarms": [], "next": None})}
    done = tool("alarms")
    assert done.returncode == 0 and "all quiet" in done.stdout
    assert fake.asked[0][2]["Authorization"] == "Bearer " + TOKEN
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("mode,text,says", [(0o644, TOKEN, "chmod"), (0o640, TOKEN, "chmod"), (0o600, "", "tk_"),
                                            (0o600, "Bearer " + TOKEN, "tk_"), (0o600, "tk_a b", "tk_")])
def test_a_token_that_is_badly_kept_is_not_used(fake, tool, token_file, mode, text, says):
    token_file.write_text(text)
    token_file.chmod(mode)
    done = tool("alarms")
    assert done.returncode == 4 and fake.asked == []
    assert str(token_file) in done.stderr and says in done.stderr


def test_address_and_token_may_stand_in_the_home(fake, tool, tmp_path, token_file):
    fake.answers = {"/api/v1/alarms": (200, {"alarms": [], "next": None})}
    folder = tmp_path / ".config" / "tocsin"
    folder.mkdir(parents=True)
    (folder / "url").write_text(fake.url + "/\n")
    settings = {"HOME": str(tmp_path), "TOCSIN_URL": "", "TOCSIN_TOKEN_FILE": ""}
    done = tool("alarms", **settings)
    assert done.returncode == 4 and "--token-file" in done.stderr
    token_file.rename(folder / "token")
    assert tool("alarms", **settings).returncode == 0
    assert tool("alarms", **{**settings, "HOME": "/nonexistent"}).returncode == 2


# ---- deeds

def test_closing_says_what_was_seen(fake, tool):
    done_answer = {"seq": 40, "alarm": alarm(state="closed", disposition="false")}
    fake.answers = {f"/api/v1/alarms/{ALARM}": (200, alarm()), f"/api/v1/alarms/{ALARM}/close": (200, done_answer)}
    done = tool("close", ALARM, "--disposition", "false", "--note", "a ball")
    assert done.returncode == 0 and "3 presses, version 7" in done.stdout and "closed: false alarm" in done.stdout
    assert fake.posted == [(f"/api/v1/alarms/{ALARM}/close", {"disposition": "false", "seen_version": 7, "note": "a ball"})]
    tool("close", ALARM, "--disposition", "real", "--seen", "3")
    assert fake.posted[-1][1] == {"disposition": "real", "seen_version": 3}
    assert json.loads(tool("close", ALARM, "--disposition", "real", "--json").stdout) == done_answer


def test_what_joined_meanwhile_is_to_be_looked_at_first(fake, tool):
    problem = {"type": "urn:tocsin:unseen", "title": "x", "status": 409, "detail": "A press has joined.", "version": 9}
    fake.answers = {f"/api/v1/alarms/{ALARM}": (200, alarm()), f"/api/v1/alarms/{ALARM}/close": (409, problem)}
    done = tool("close", ALARM, "--disposition", "real")
    assert done.returncode == 5 and "A press has joined." in done.stderr and f"tocsin show {ALARM}" in done.stderr


def test_notes_come_from_the_command_line_or_standard_input(fake, tool):
    path = f"/api/v1/alarms/{ALARM}/notes"
    fake.answers = {path: (200, {"seq": 4, "alarm": alarm()})}
    assert tool("note", ALARM, "a ball").returncode == 0
    assert tool("note", ALARM, "-", stdin="two\nlines 警\n").returncode == 0
    assert fake.posted == [(path, {"text": "a ball"}), (path, {"text": "two\nlines 警"})]
    for words, stdin in ((["note", ALARM, ""], ""), (["note", ALARM, "-"], ""), (["note", ALARM, "x" * 2001], ""),
                         (["note", ALARM, "-"], "x" * 5000), (["note", ALARM, "\udcff"], "")):
        assert tool(*words, stdin=stdin).returncode == 2
    assert len(fake.posted) == 2


def test_the_beginning_of_an_id_is_enough_when_it_is_one(fake, tool):
    other = "abbc" + "d" * 17
    fake.answers = {"/api/v1/alarms": (200, {"alarms": [alarm(), alarm(id=other)], "next": None}),
                    f"/api/v1/alarms/{ALARM}/acknowledge": (200, {"seq": 2, "alarm": alarm(state="acknowledged")})}
    assert tool("ack", "abbb").returncode == 0
    assert fake.posted[-1][0] == f"/api/v1/alarms/{ALARM}/acknowledge"
    assert tool("ack", "abbx").returncode == 1
    for bad in ("abb", "b" * 6, "../../x", ALARM + "b", "abb%"):
        assert tool("ack", bad).returncode == 2
    fake.answers["/api/v1/alarms"] = (200, {"alarms": [alarm(), alarm(id=ALARM[:8] + "c" * 13)], "next": None})
    assert tool("ack", "abbb").returncode == 2 and len(fake.posted) == 1


# ---- the feed

def feed(text, then=None):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(text.encode())
        handler.wfile.flush()
        if then:
            then(handler)
        handler.close_connection = True
    return answer


def message(seq, **members):
    return f"id: {seq}\nevent: note_added\ndata: {json.dumps(event(seq, 'note_added', by='desk', role='police', **members))}\n\n"


def test_watch_resumes_where_it_was_cut(fake, tool):
    parts = [feed("retry: 1000\nid: 3\n\n" + message(4) + message(5) + "id: 6\ndata: {\"half"), feed(message(6)), feed(message(7))]
    fake.answers["/api/v1/feed"] = lambda handler: parts.pop(0)(handler)
    done = tool("watch", "--json", "--count", "4")
    assert done.returncode == 0
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [4, 5, 6, 7]
    resumed = [headers.get("Last-Event-ID") for _, path, headers in fake.asked if path.startswith("/api/v1/feed")]
    assert resumed == [None, "5", "6"]


def test_watch_outlives_the_daemon(fake, token_file):
    fake.answers["/api/v1/feed"] = feed("id: 1\n\n" + message(2), lambda _: time.sleep(0.2))
    watching = subprocess.Popen([str(TOCSIN), "watch", "--json"], env=environment(fake, token_file), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    try:
        assert json.loads(watching.stdout.readline())["seq"] == 2
        fake.answers["/api/v1/feed"] = (503, {"title": "x", "detail": "not now"})
        states = ""
        while "trying again" not in states:
            states += watching.stderr.readline()
        fake.answers["/api/v1/feed"] = feed(message(3), lambda _: time.sleep(30))
        assert json.loads(watching.stdout.readline())["seq"] == 3
        while "connected again" not in states:
            states += watching.stderr.readline()
        watching.send_signal(signal.SIGTERM)  # SIGINT may be ignored where the tests run in the background
        watching.wait(10)
    finally:
        watching.kill()
        watching.communicate()


def test_watch_ends_when_nobody_takes_what_it_says(fake, token_file):
    """Into a file on a full disk, for instance: going on would look like a quiet night."""
    fake.answers["/api/v1/feed"] = feed("id: 1\n\n" + message(2), lambda _: time.sleep(30))
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(TOCSIN), "watch", "--json"], env=environment(fake, token_file), stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "could not be written: No space left on device" in done.stderr
    assert len(fake.asked) == 1, "it asked again"


def test_watch_ends_when_it_is_refused(fake, tool):
    fake.answers["/api/v1/feed"] = (403, {"type": "x", "title": "x", "status": 403, "detail": "Not for you."})
    done = tool("watch")
    assert done.returncode == 4 and "Not for you." in done.stderr


# ---- the journal

def test_a_proof_that_does_not_fit_is_not_believed(fake, tool):
    fake.answers = {"/api/v1/journal": (200, b'{"seq":1}\n'), "/api/v1/journal/checkpoint": (200, b"t\n1\n" + b"A" * 43 + b"=\n\n"),
                    "/api/v1/journal/proof": (200, {"seq": 1, "index": 0, "size": 1, "leaf": "A" * 43 + "=", "path": []})}
    done = tool("journal", "prove", "1")
    assert done.returncode == 1 and "do not trust" in done.stdout


def test_a_proof_that_fits_is_believed(fake, tool):
    import base64
    import hashlib
    line = b'{"seq":1,"at":"x"}'
    root = base64.b64encode(hashlib.sha256(b"\0" + line).digest())
    fake.answers = {"/api/v1/journal": (200, line + b"\n"), "/api/v1/journal/checkpoint": (200, b"t\n1\n" + root + b"\n\n"),
                    "/api/v1/journal/proof": (200, {"seq": 1, "index": 0, "size": 1, "leaf": root.decode(), "path": []})}
    assert tool("journal", "prove", "1").returncode == 0
    for path in ([1], ["x"], [root.decode()] * 3, [root.decode()] * 100, "x"):
        fake.answers["/api/v1/journal/proof"] = (200, {"seq": 1, "index": 0, "size": 1, "leaf": "", "path": path})
        assert tool("journal", "prove", "1").returncode == (1 if path != "x" else 0)


def test_replay_keeps_the_pace(fake, tool):
    events = [event(1, "note_added", by="a", role="police"), event(2, "note_added", by="b", role="police")]
    events[1]["clock"] = events[0]["clock"] + 3000
    fake.answers = {f"/api/v1/alarms/{ALARM}": (200, alarm(events=events))}
    start = time.monotonic()
    done = tool("replay", ALARM, "--speed", "3")
    took = time.monotonic() - start
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2 and 1.0 <= took < 8
    start = time.monotonic()
    assert tool("replay", ALARM, "--speed", "0", "--json").stdout.splitlines()[0] == json.dumps(events[0], separators=(",", ":"))


def test_replay_of_a_period_finds_its_beginning(fake, tool):
    """Among many entries, by few questions."""
    lines = [json.dumps({**event(seq, "conf_loaded"), "alarm": "",
                         "at": f"2026-11-23T{seq // 3600:02}:{seq // 60 % 60:02}:{seq % 60:02}.000Z"})
             for seq in range(1, 5001)]

    def journal(handler):
        query = dict(pair.split("=") for pair in handler.path.split("?")[1].split("&"))
        first, limit = int(query["from"]), int(query["limit"])
        handler.send(200, "".join(line + "\n" for line in lines[first - 1:first - 1 + limit]).encode())

    fake.answers = {"/api/v1/journal": journal, "/api/v1/journal/checkpoint": (200, b"t\n5000\n" + b"A" * 43 + b"=\n\n")}
    done = tool("replay", "--from", "2026-11-23T00:50:00Z", "--to", "2026-11-23T08:50:02+08:00", "--speed", "0", "--json")
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [3000, 3001, 3002]
    assert len(fake.asked) < 20
    assert tool("replay", "--from", "2027-01-01T00:00:00Z", "--speed", "0").returncode == 1
