"""What the broker keeps over a restart, damaged or without room: presses go on, and what was lost is said."""
import signal
import subprocess

import pytest

from house import ROOT, House, fill

CHECK = ROOT / "deploy" / "mosquitto" / "check-database"
DAMAGE = {
    "zeros": lambda good: bytes(len(good)),
    "empty": lambda good: b"",
    "cut": lambda good: good[: len(good) * 2 // 3],
    "another program's": lambda good: b"SQLite format 3\0" + good[16:],
    "a later version's": lambda good: good[:22] + b"\xff" + good[23:],
    "spoilt in the middle": lambda good: good[:60] + b"\xff" * 40 + good[100:],
}
READABLE = ["empty"]  # mosquitto begins anew with it


def check(database):
    return subprocess.run([CHECK, database], capture_output=True, text=True)


def leave_a_press_at_the_broker(house):
    """One that only the broker has: the daemon is away, and the broker ends."""
    house.stop()
    press = house.button().press(wait=True)
    house.broker.stop()
    return press


def test_what_waits_in_a_sound_database_arrives(house):
    press = leave_a_press_at_the_broker(house)
    database = house.broker.folder / "mosquitto.db"
    before = database.read_bytes()
    outcome = check(database)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert database.read_bytes() == before
    house.broker.start()
    house.restart()
    house.police.told("alarm.opened", press)
    assert not house.troubles("broker_session")
    assert not list(house.broker.folder.glob("check-*"))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_database(house, damage):
    """The broker comes back, whether it can read it or not; a press that waited in it is repeated by its button."""
    press = leave_a_press_at_the_broker(house)
    database = house.broker.folder / "mosquitto.db"
    database.write_bytes(DAMAGE[damage](database.read_bytes()))
    outcome = check(database)
    assert outcome.returncode == 0
    aside = list(house.broker.folder.glob("mosquitto.db.unreadable-*"))
    assert bool(aside) == ("set aside" in outcome.stderr) == (not database.exists()) == (damage not in READABLE)
    house.broker.start()
    house.restart()
    house.wait_for(press.button.client.is_connected, "the button is connected again")
    press.button.again(press)
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


def test_a_broker_that_nothing_helps_keeps_its_database(tmp_path, monkeypatch):
    (tmp_path / "mosquitto").write_text("#!/bin/sh\necho 'a library is missing'\nexit 127\n")
    (tmp_path / "mosquitto").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    database = tmp_path / "mosquitto.db"
    database.write_bytes(b"sound")
    outcome = check(database)
    assert outcome.returncode == 1 and "a library is missing" in outcome.stderr
    assert database.read_bytes() == b"sound"
    assert not list(tmp_path.glob("check-*"))


def test_a_full_disk_under_the_broker(tmp_path, small_disk):
    """It cannot save what it keeps, and goes on. What it saved by halves meanwhile does not keep it from its next start."""
    with House(small_disk / "house", state_dir=tmp_path / "state") as house:
        room = house.button()
        house.broker.signal(signal.SIGUSR1)  # saves now
        house.wait_for((house.broker.folder / "mosquitto.db").exists, "it has saved")
        fill(small_disk / "filler")
        for kind in ("panic", "fire"):
            house.broker.signal(signal.SIGUSR1)
            press = room.press(kind=kind)
            press.receipt("recorded")
            house.police.told("alarm.opened", press)
        (small_disk / "filler").unlink()
        house.broker.kill()
        assert check(house.broker.folder / "mosquitto.db").returncode == 0
        house.broker.start()
        house.no_trouble("broker")
        press = room.press(kind="medical")
        press.receipt("recorded")
        house.police.told("alarm.opened", press)
        house.check()
