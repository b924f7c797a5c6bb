"""Closed alarms are found again: by site, time, kind, disposition, mode and words, by those who may see them, and whatever
happened to the archive's file or to the daemon that was making it."""
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

HOSTILE = ['" OR 1=1 --', "NEAR(a b)", "50%", "a_b*", "\\", "'; DROP TABLE alarm;", "\u202egnp.exe", "🚨👩‍🏫", "张", "二楼"]


@pytest.fixture
def two_sites(make_house):
    return make_house(sites=("school-1", "school-2"))


def closed(house, button, disposition, note=None, **press):
    """A whole alarm; its id."""
    pressed = button.press(**press)
    pressed.receipt("recorded")
    house.deed(pressed, "acknowledge")
    if note:
        assert house.deed(pressed, "notes", text=note).status_code == 200
    house.close_alarm(pressed, disposition)
    return pressed.alarm_id


def found(house, account="desk-1", **query):
    answer = house.api("history", account, **query)
    assert answer["complete"]
    return [alarm["id"] for alarm in answer["alarms"]]


def archive_rows(house):
    """How many the archive has; 0 while there is none."""
    try:
        with sqlite3.connect(f"file:{house.state_dir}/journal.db-archive?mode=ro", uri=True, timeout=1) as archive:
            return archive.execute("SELECT count(*) FROM alarm").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_found_by_each_filter(two_sites):
    house = two_sites
    here, there = house.button("school-1/room-101"), house.button("school-2/room-102")
    panic = closed(house, here, "real", kind="panic")
    fire = closed(house, there, "false", "a pan in the kitchen", kind="fire")
    drill = closed(house, here, "drill", kind="panic", drill=True)
    still_open = there.press(kind="panic")
    still_open.receipt("recorded")
    middle = house.alarm(fire)["opened_at"]
    assert found(house) == [drill, fire, panic]
    assert found(house, site="school-2") == [fire]
    assert found(house, kind="panic") == [drill, panic]
    assert found(house, disposition="false") == [fire]
    assert found(house, mode="drill") == [drill]
    assert found(house, **{"from": middle}) == [drill, fire]
    assert found(house, to=middle) == [panic]
    assert found(house, text="KITCHEN pan") == [fire]
    assert found(house, text="实验 school-1") == [drill, panic]
    assert found(house, text="room 102") == [fire]
    row = house.api("history", kind="fire")["alarms"][0]
    assert row["received_s"] is not None and row["acknowledged_by"] == row["closed_by"] == "desk-1"
    assert house.api("figures")["drill"]["presses"] == 1 and house.api("figures")["real"]["alarms"] == 2


def test_who_sees_only_one_school_finds_only_its_alarms(two_sites):
    house = two_sites
    closed(house, house.button("school-1/gate"), "real", "seen by the caretaker")
    there = closed(house, house.button("school-2/gate"), "real", "seen by the caretaker")
    assert found(house, "guard-2") == found(house, "guard-2", text="caretaker") == [there]
    assert house.api("figures", "guard-2")["real"]["alarms"] == 1
    for path in ("history", "figures"):
        answer = house.ask("GET", f"/api/v1/{path}", "guard-2", params={"site": "school-1"})
        assert answer.status_code == 400 and answer.json()["field"] == "site"
    house.wait_for(lambda: house.journal("action_refused"), "the journal says that somebody tried")


def test_hostile_words_mean_themselves(house):
    button = house.button()
    alarms = {words: closed(house, button, "false", f"first {words} last") for words in HOSTILE}
    for words, alarm in alarms.items():
        assert found(house, text=words) == [alarm], words
    for words in ("x" * 10_000, "a b c d e f g h i", " \u3000\t"):
        answer = house.ask("GET", "/api/v1/history", params={"text": words})
        assert answer.status_code == 400 and answer.json()["field"] == "text", answer.text


def test_an_erased_note_is_found_no_more(house):
    alarm = closed(house, house.button(), "false", "the name of a child")
    assert found(house, text="name of a child") == [alarm]
    seq = next(note["seq"] for note in house.alarm(alarm)["notes"] if "child" in note["text"])
    house.stop()
    house.tool("journal", "erase-note", str(seq), "--journal", str(house.state_dir / "journal.db"), connected=False)
    for file in house.state_dir.glob("journal.db*"):
        assert b"name of a child" not in file.read_bytes(), file
    house.restart()
    assert found(house) == [alarm] and found(house, text="child") == []


def test_killed_while_catching_up_it_goes_on(make_house):
    """The archive is thrown away; its making is cut by kill -9 again and again, and once its file is damaged."""
    sites = [f"school-{n}" for n in range(1, 25)]
    house = make_house(sites=sites, devices=("gate",), guard=False)
    buttons = [house.button(f"{site}/gate") for site in sites]
    with ThreadPoolExecutor(4) as people:
        for _ in range(4):
            list(people.map(lambda button: closed(house, button, "test"), buttons))
    everything = found(house, limit=1000)
    assert len(everything) == 4 * len(sites)
    for damage in (lambda file: None, lambda file: file.write_bytes(b"no database" * 1000)):
        house.stop()
        for file in house.state_dir.glob("journal.db-archive*"):
            file.unlink()
        seen = [0]
        while len(seen) < 3:
            house.restart()
            house.wait_for(lambda: archive_rows(house) > seen[-1], "the archive grows")
            house.daemon.kill()
            seen.append(archive_rows(house))
            if seen[-1] >= len(everything):
                break
        damage(house.state_dir / "journal.db-archive")
        house.restart()
        assert found(house, limit=1000) == everything
