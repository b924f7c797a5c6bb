"""Promise 3: the alarm does not die with the disk. It costs the record, loudly; never the alarm."""
import os
import subprocess

import pytest

from house import House, slow_disk, syscalls


@pytest.fixture
def pressed(make_house):
    """pressed(wrapper) → a house whose disk gets bad only once it runs, and a button."""
    def make(wrapper, **options):
        house = make_house(wrapper=wrapper, **options)
        return house, house.button()
    return make


def both_are_told(house, press, recorded):
    for endpoint in (house.police, house.bureau):
        telling = endpoint.told("alarm.opened", press)
        assert telling.data["recorded"] is recorded
        assert telling.at_ms - press.at_ms <= 1000, f"{endpoint.name} waited for the disk"


def test_a_disk_that_takes_8_s(pressed):
    house, room = pressed(slow_disk(8), unchecked=True)
    press = room.press()
    both_are_told(house, press, recorded=False)
    assert house.ask("GET", "/healthz", None).elapsed.total_seconds() < 1, "the loop waits for the disk"
    house.trouble("journal")
    press.receipt("recorded", timeout_s=30)
    recorded = house.alarm(press)
    assert recorded["id"] == press.alarm_id, "the recorded alarm has another id than the one that was told"


def test_a_disk_that_fails_from_now_on(pressed):
    """fsync fails for ever: the alarm goes through its whole life, unrecorded, and everybody can see that."""
    house, room = pressed(syscalls("fdatasync,fsync:error=EIO:when=40+"), unchecked=True)
    for _ in range(40):  # until the disk is bad
        probe = room.press()
        house.wait_for(lambda: house.police.of(probe) or probe.receipts("recorded"), "the press is dealt with")
        house.wait_for(lambda: probe.receipts("recorded") or house.troubles("journal"), "recorded or trouble")
        if house.troubles("journal"):
            break
    house.trouble("journal")
    press = house.button("school-1/room-102").press(kind="fire")
    both_are_told(house, press, recorded=False)
    assert not press.receipts("recorded"), "a yes without a commit"
    answer = house.deed(press, "acknowledge")
    assert answer.status_code == 503 and answer.json()["type"] == "urn:tocsin:unrecorded", answer.text
    house.wait_for(lambda: house.police.of(press, "alarm.acknowledged"), "the deed is told although it is unrecorded")
    ready = house.ask("GET", "/readyz", None)
    assert ready.status_code == 503 and ready.json()["reasons"]


def test_a_disk_that_fails_once_is_reopened_and_nothing_is_missing(pressed):
    """A failed sync is final for its connection: what was in it is written again over a new one."""
    house, room = pressed(syscalls("fdatasync,fsync:error=EIO:when=30"))
    presses = []
    for _ in range(25):
        presses.append(room.press())
        presses[-1].receipt("recorded")
    assert len(house.journal("press_received")) == len(presses)
    house.no_trouble("journal")


def test_a_write_that_finds_no_room_and_then_does(pressed):
    house, room = pressed(syscalls("pwrite64:error=ENOSPC:when=60..75"))
    presses = []
    for _ in range(20):
        presses.append(room.press())
        house.police.told("alarm.opened", presses[0])
        presses[-1].receipt("recorded", timeout_s=40)
    assert len(house.journal("press_received")) == len(presses)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk(tmp_path):
    """A real file system of 24 MB, filled to the brim while the daemon runs, and freed again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no mount here: {mounted.stderr.strip()}")
    def little_is_enough(configuration):
        configuration["daemon"]["disk_free_mb"] = 4
    try:
        with House(tmp_path / "house", state_dir=disk / "state", adjust=little_is_enough) as house:
            assert not house.troubles("disk")
            room = house.button()
            room.press().receipt("recorded")
            with open(disk / "filler", "wb") as filler:
                try:
                    while True:
                        filler.write(b"x" * 65536)
                        filler.flush()
                except OSError:
                    pass
            house.trouble("disk")
            press = room.press(kind="fire")
            told = house.police.told("alarm.opened", press)
            assert told.at_ms - press.at_ms <= 1000
            (disk / "filler").unlink()
            press.receipt("recorded", timeout_s=40)
            house.no_trouble("disk")
            house.no_trouble("journal")
            house.check()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
