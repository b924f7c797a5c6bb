"""Promise 3: the alarm does not die with the disk. It costs the record, loudly; never the alarm."""
import json
import os
import signal

import pytest
import requests

from house import PATIENCE_S, SLOW_DISK, House, fill

pytestmark = pytest.mark.disk


def both_are_told(house, press, recorded):
    for endpoint in (house.police, house.bureau):
        telling = endpoint.told("alarm.opened", press)
        assert telling.data["recorded"] is recorded
        assert telling.at_ms - press.at_ms <= 1000, f"{endpoint.name} waited for the disk"


def test_a_disk_that_takes_8_s(house):
    room = house.button()
    with house.inject(SLOW_DISK.format(8000)):
        press = room.press()
        both_are_told(house, press, recorded=False)
        assert house.ask("GET", "/healthz", None).elapsed.total_seconds() < 1, "the loop waits for the disk"
        house.trouble("journal")
        press.receipt("recorded", timeout_s=30)
    house.no_trouble("journal", timeout_s=40)
    assert house.alarm(press)["recorded"] is True


def test_a_disk_that_fails_while_an_alarm_lives(house):
    """The alarm goes through its life, unrecorded, and everybody can see that; the record is made up for afterwards."""
    room = house.button()
    room.press(kind="medical").receipt("recorded")
    with house.inject("fdatasync,fsync,pwrite64:error=EIO"):
        press = room.press()
        both_are_told(house, press, recorded=False)
        house.trouble("journal")
        assert not press.receipts(), "a yes without a commit"
        answer = house.deed(press, "acknowledge")
        assert answer.status_code == 503 and answer.json()["type"] == "urn:tocsin:unrecorded", answer.text
        house.police.told("alarm.acknowledged", press)
        ready = house.ask("GET", "/readyz", None)
        assert ready.status_code == 503 and ready.json()["reasons"]
        fire = house.button("school-1/room-102").press(kind="fire")
        both_are_told(house, fire, recorded=False)
    for one in (press, fire):
        one.receipt("recorded", timeout_s=40)
    house.no_trouble("journal", timeout_s=40)


def relies_on_puback(configuration):
    for device in configuration["sites"][0]["devices"]:
        device["puback"] = "after_commit" if device["id"] == "gate" else "at_once"


def test_a_puback_that_waits_for_a_dead_disk_makes_nobody_wait(make_house):
    house = make_house(adjust=relies_on_puback, unchecked=True)
    first = [house.button("school-1/gate"), house.button("school-1/room-101")]
    with house.inject("fdatasync,fsync,pwrite64:error=EIO"):
        fire = first[0].press(kind="fire")
        house.police.told("alarm.opened", fire)
        panic = first[1].press(kind="panic")
        assert house.police.told("alarm.opened", panic).at_ms - panic.at_ms < 2000
    for press in (fire, panic):
        press.receipt("recorded", timeout_s=40)
    assert not house.feed.find("trouble_raised", code="broker"), "the broker is good"


def hear(house, last, holds):
    """What a desk that resumes after `last` hears, until that `holds`; and from where it would resume the next time."""
    heard, number = [], None
    headers = {"Authorization": f"Bearer {house.token('desk-1')}", "Last-Event-ID": str(last)}
    with requests.get(house.daemon.url + "/api/v1/feed", headers=headers, stream=True, timeout=PATIENCE_S) as answer:
        for line in answer.iter_lines(chunk_size=1):
            if line.startswith(b"id:"):
                number = int(line[3:])
            elif line.startswith(b"data:"):
                heard.append(json.loads(line[5:]))
            elif not line:
                last, number = number or last, None
                if holds(heard):
                    return heard, last


def test_a_desk_misses_nothing_after_a_crash_with_a_dead_disk(make_house):
    """What was never recorded is lost with the crash, and its numbers are those of other events then."""
    house = make_house(unchecked=True)
    with house.inject("fdatasync,fsync,pwrite64:error=EIO"):
        fire = house.button().press(kind="fire")
        both_are_told(house, fire, recorded=False)
        heard, last = hear(house, 1, lambda heard: any(event.get("alarm") == fire.alarm_id for event in heard))
        assert last <= house.metric("tocsin_journal_events")
        house.daemon.kill()
    house.restart()
    press = house.button("school-1/room-102").press()
    press.receipt("recorded")
    heard, _ = hear(house, last, lambda heard: any(event.get("alarm") == press.alarm_id for event in heard))
    seqs = [event["seq"] for event in heard]
    assert seqs == list(range(last + 1, last + 1 + len(seqs)))


@pytest.mark.parametrize("fault", ["fdatasync,fsync:error=EIO:when=3", "pwrite64:error=ENOSPC:when=4..9",
                                   "pwrite64:error=EIO:when=5", "fdatasync,fsync:error=ENOSPC:when=2..4",
                                   "pwrite64:error=EDQUOT:when=4..9"])
def test_a_disk_that_fails_now_and_then(house, fault):
    """A failed write or sync is final for its connection: what was in it is written again over a new one."""
    room = house.button()
    presses = []
    with house.inject(fault):
        for _ in range(20):
            presses.append(room.press())
            presses[-1].receipt("recorded", timeout_s=40)
    house.no_trouble("journal")
    assert len(house.journal("press_received")) == len(presses)


def little_is_enough(configuration):
    configuration["daemon"]["disk_free_mb"] = 8


def test_a_full_disk(tmp_path, small_disk):
    """Filled to the brim while the daemon runs, and freed again."""
    with House(tmp_path / "house", state_dir=small_disk / "state", adjust=little_is_enough) as house:
        assert not house.troubles("disk")
        room = house.button()
        room.press().receipt("recorded")
        fill(small_disk / "filler")
        house.trouble("disk")
        press = room.press(kind="fire")
        told = house.police.told("alarm.opened", press)
        assert told.at_ms - press.at_ms <= 1000
        (small_disk / "filler").unlink()
        press.receipt("recorded", timeout_s=40)
        house.no_trouble("disk")
        house.no_trouble("journal")
        house.check()


def test_a_disk_that_is_full_at_the_start(tmp_path, small_disk):
    """There is no room for as much as the file that names the port; but there is the journal's reserve."""
    with House(tmp_path / "house", state_dir=small_disk / "state", adjust=little_is_enough) as house:
        house.stop()
        fill(small_disk / "filler")
        house.daemon.launch()
        house.wait_for(lambda: "uses the last reserve" in house.daemon.log(), "it says so")
        press = house.button().press()
        both_are_told(house, press, recorded=True)
        press.receipt("recorded")
        house.stop()
        (small_disk / "filler").unlink()
        house.restart()
        house.no_trouble("disk")
        house.check()


def spoil_journal(house):
    """What was in it."""
    house.stop()
    journal = house.state_dir / "journal.db"
    kept = journal.read_bytes()
    for beside in ("journal.db-wal", "journal.db-shm"):
        (house.state_dir / beside).unlink(missing_ok=True)
    journal.write_bytes(b"\0" * 4096 + os.urandom(8192))
    house.restart(ready=False)
    house.wait_for(lambda: "connected" in house.broker.log() and house.ask("GET", "/readyz", None).status_code == 503, "it runs")
    return kept


def test_a_journal_that_cannot_be_used_at_start(make_house):
    """The daemon runs without a record rather than not at all; once the journal is back, a restart records again."""
    house = make_house(unchecked=True)
    kept = spoil_journal(house)
    room = house.button()
    press = room.press()
    both_are_told(house, press, recorded=False)
    house.trouble("journal")
    assert not press.receipts(), "a yes without a record"
    house.stop()
    (house.state_dir / "journal.db").write_bytes(kept)
    house.restart()
    room.again(press)
    press.receipt("recorded")
    house.check()


def test_a_journal_of_another_key(make_house):
    """As deploy/README.md rotates the key, and what is said when the old journal was left in its place."""
    house = make_house(unchecked=True)
    house.stop()
    for name in ("journal.key", "journal.key.pub"):
        (house.folder / name).unlink()
    house.tool("keygen", "journal", str(house.folder / "journal.key"), "--name", "tocsin.test", connected=False)
    house.restart(ready=False)
    text = house.trouble("journal")["text"]
    assert "put back the key file it was written with, or move journal.db* away" in text
    assert text.endswith("; mended, it records again once no alarm is open"), "the sentence is whole"
    house.stop()
    for file in house.state_dir.glob("journal.db*"):
        file.rename(house.folder / file.name)
    house.restart()
    house.no_trouble("journal")
    house.button().press().receipt("recorded")


@pytest.mark.asan
def test_a_journal_that_is_mended_while_the_daemon_runs(make_house):
    """Nobody has to restart it; but an alarm that is open is not forgotten for the sake of the record."""
    house = make_house(unchecked=True)
    kept = spoil_journal(house)
    pid = house.daemon.process.pid
    room = house.button()
    press = room.press()
    both_are_told(house, press, recorded=False)
    alarm = house.police.told("alarm.opened", press).alarm["id"]
    (house.state_dir / "journal.db").write_bytes(kept)
    house.wait_for(lambda: "recording begins when the last open alarm is closed" in house.daemon.log(), "it has looked")
    assert house.alarm(alarm)["state"] == "open"

    answer = house.deed(alarm, "close", disposition="false", seen_version=house.alarm(alarm)["version"])
    assert answer.status_code == 503, "it says that this is not recorded"
    house.police.told("alarm.closed", alarm)
    house.wait_for(lambda: "starting anew, with a record" in house.daemon.log(), "it has seen that nothing is open", timeout_s=40)
    house.daemon.wait_until_it_answers()
    assert house.daemon.process.pid == pid
    house.no_trouble("journal")
    room.press(kind="fire").receipt("recorded")
    house.stop()
    assert not [line for line in house.daemon.log().splitlines() if "is lost with this stop" in line]


def test_the_last_word_is_not_forgotten_for_the_sake_of_the_record(make_house):
    """Who was told of the alarm and could not be reached when it was closed would go on showing it."""
    house = make_house(unchecked=True)
    kept = spoil_journal(house)
    press = house.button().press()
    both_are_told(house, press, recorded=False)
    alarm = house.police.told("alarm.opened", press).alarm["id"]
    house.police.behaviour = house.police.failing
    house.deed(alarm, "close", disposition="false", seen_version=house.alarm(alarm)["version"])
    house.bureau.told("alarm.closed", alarm)
    (house.state_dir / "journal.db").write_bytes(kept)
    house.wait_for(lambda: "the journal can be used again" in house.daemon.log(), "it has looked", timeout_s=40)
    assert "recording begins when everybody has been told that the alarm is closed" in house.daemon.log()
    before = len(house.police.of(alarm, "alarm.closed"))
    house.police.behaviour = house.police.receiving
    house.wait_for(lambda: len(house.police.of(alarm, "alarm.closed")) > before, "the police hear of it", timeout_s=40)
    house.wait_for(lambda: "starting anew, with a record" in house.daemon.log(), "nothing is owed any more", timeout_s=40)
    house.daemon.wait_until_it_answers()
    house.no_trouble("journal")


def test_a_stop_while_it_starts_anew_is_a_stop(make_house):
    house = make_house(unchecked=True)
    kept = spoil_journal(house)
    (house.state_dir / "journal.db").write_bytes(kept)
    house.wait_for(lambda: "starting anew, with a record" in house.daemon.log(), "it has seen that nothing is open", timeout_s=40)
    house.daemon.process.terminate()
    status = house.daemon.process.wait(timeout=30)
    assert status == 0


@pytest.mark.parametrize("often", [False, True])
def test_a_reload_while_it_starts_anew_is_not_forgotten(make_house, often):
    """Not while one life ends, nor between it and the next."""
    house = make_house(unchecked=True)
    kept = spoil_journal(house)
    starts = house.daemon.log().count("HTTP on port")
    (house.state_dir / "journal.db").write_bytes(kept)
    house.wait_for(lambda: "starting anew, with a record" in house.daemon.log(), "it has seen that nothing is open", timeout_s=40)
    house.daemon.signal(signal.SIGHUP)
    while often and house.daemon.alive() and house.daemon.log().count("HTTP on port") == starts:
        house.daemon.signal(signal.SIGHUP)
    house.wait_for(lambda: "the configuration was reloaded" in house.daemon.log(), "the next life has read it")
