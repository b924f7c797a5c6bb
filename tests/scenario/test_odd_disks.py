"""Files of the journal that somebody damaged, locked, took away or put back."""
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from house import BUILD, PATIENCE_S, loopback, own_alarm_id

pytestmark = pytest.mark.disk


def stored(house):
    return {(line["device"], line["epoch"], line["n"]) for line in house.journal("press_received")}


def damage(how, file):
    if how == "missing":
        file.unlink()
    elif how == "garbage":
        file.write_bytes(os.urandom(file.stat().st_size))
    else:
        with open(file, "r+b") as opened:
            opened.truncate(how)


@pytest.mark.asan
@pytest.mark.parametrize("how", ["missing", "garbage", 100])
def test_the_shared_memory_file_is_worth_nothing(house, how):
    """journal.db-shm is an index that is built anew; whatever it holds after a power cut costs no press."""
    presses = [house.button().press() for _ in range(5)]
    for press in presses:
        press.receipt("recorded")
    house.daemon.kill()
    damage(how, house.state_dir / "journal.db-shm")
    house.restart()
    assert {press.identity for press in presses} <= stored(house)
    house.button("school-1/gate").press().receipt("recorded")


@pytest.mark.parametrize("how", ["missing", "garbage"])
def test_a_log_of_the_database_that_is_not_the_one_it_was_is_never_taken_for_it(make_house, how):
    """journal.db-wal holds what was committed last. Without it the journal is an older one: said loudly, and the alarm goes on."""
    house = make_house(unchecked=True)
    room = house.button()
    presses = [room.press() for _ in range(5)]
    for press in presses:
        press.receipt("recorded")
    house.daemon.kill()
    damage(how, house.state_dir / "journal.db-wal")
    house.restart(ready=False)
    press = house.button("school-1/gate").press(kind="fire")
    house.police.told("alarm.opened", press)
    if house.troubles("journal"):
        assert not press.receipts("recorded"), "a yes without a record"
    else:  # it is a good journal, of an earlier moment or whole
        press.receipt("recorded")
        house.check_record()


@pytest.mark.parametrize("runs", [[20], [300, 20]])
def test_a_database_put_beside_the_log_of_another_is_never_taken_for_whole(make_house, runs):
    """Somebody who puts a backup back forgets journal.db-wal: SQLite goes on with it. Together they are the record, or damaged."""
    house = make_house(unchecked=True)
    room = house.button()
    room.press().receipt("recorded")
    house.stop()
    shutil.copy2(house.state_dir / "journal.db", house.folder / "backup.db")
    for presses in runs:
        house.stop()
        house.restart()
        for press in [room.press() for _ in range(presses)]:
            press.receipt("recorded")
    house.daemon.kill()
    (house.state_dir / "journal.db-shm").unlink()
    shutil.copy2(house.folder / "backup.db", house.state_dir / "journal.db")
    house.restart(ready=False)
    fire = house.button("school-1/gate").press(kind="fire")
    house.police.told("alarm.opened", fire)
    if len(runs) > 1:
        assert "restore a backup" in house.trouble("journal")["text"]
        assert not fire.receipts("recorded"), "a yes without a record"
    else:  # all that it lacks is in the log
        fire.receipt("recorded")
        house.check_record()


def test_another_program_that_locks_the_database_delays_no_alarm(house):
    room = house.button()
    room.press(kind="medical").receipt("recorded")
    intruder = sqlite3.connect(house.state_dir / "journal.db", isolation_level=None, check_same_thread=False)
    intruder.execute("BEGIN IMMEDIATE")
    press = room.press()
    for endpoint in (house.police, house.bureau):
        assert endpoint.told("alarm.opened", press).data["recorded"] is False
    assert not press.receipts(), "a yes without a commit"
    intruder.execute("ROLLBACK")
    intruder.close()
    press.receipt("recorded", timeout_s=40)
    house.no_trouble("journal", timeout_s=40)


def test_a_disk_that_became_read_only(house):
    room = house.button()
    room.press(kind="medical").receipt("recorded")
    with house.inject("pwrite64,fdatasync,fsync,ftruncate:error=EROFS"):
        press = room.press()
        assert house.police.told("alarm.opened", press).data["recorded"] is False
        house.trouble("journal")
        assert not press.receipts(), "a yes without a commit"
    press.receipt("recorded", timeout_s=40)
    house.no_trouble("journal", timeout_s=40)


def test_yesterdays_backup_put_back(make_house):
    """Nobody is alarmed anew by what it brings back as open and old; what is pressed now counts; and who was told of the
    days that are gone proves that they were."""
    house = make_house(unchecked=True)
    signed, room = house.button("school-1/signed"), house.button()
    yesterday = signed.press(n=5)
    yesterday.receipt("recorded")
    house.close_alarm(yesterday)
    house.police.told("alarm.closed", yesterday)
    house.stop()
    shutil.copytree(house.state_dir, house.folder / "backup")
    house.restart()
    lost = signed.press(n=6)
    lost.receipt("recorded")
    witness = house.police.told("alarm.opened", lost)
    house.daemon.kill()
    for file in house.state_dir.glob("journal.db*"):
        file.unlink()
    for file in (house.folder / "backup").glob("journal.db*"):
        shutil.copy2(file, house.state_dir)
    told = len(house.police.of(yesterday))
    house.restart()
    now = room.press(kind="fire")
    now.receipt("recorded")
    house.police.told("alarm.opened", now)
    assert len(house.police.of(yesterday)) == told, "a closed alarm is told again"
    assert house.ask("GET", f"/api/v1/alarms/{own_alarm_id('school-1', *lost.identity)}").status_code == 404
    signed.again(yesterday)  # a replay is one still
    house.wait_for(lambda: len(yesterday.receipts("recorded")) + len(yesterday.receipts("closed")) > 1, "it is answered")
    assert house.api("alarms")["alarms"][0]["id"] == now.alarm_id and len(house.api("alarms")["alarms"]) == 1
    size, root = witness.body["journal"]["size"], witness.body["journal"]["root"]
    done = house.tool("journal", "verify", str(house.export()), "--witness", f"{size}:{root}", connected=False, check=False)
    assert done.returncode == 1, f"the witness agrees with a journal that was put back: {done.stdout}{done.stderr}"


def test_the_folder_taken_away_is_seen(make_house):
    house = make_house(unchecked=True)
    house.button().press(kind="medical").receipt("recorded")
    away = house.state_dir.rename(house.folder / "away")
    try:
        house.trouble("disk")
        press = house.button().press()
        house.police.told("alarm.opened", press)
    finally:
        away.rename(house.state_dir)
    house.no_trouble("disk")


@pytest.mark.parametrize("how", ["missing", "read-only"])
def test_a_folder_that_takes_nothing_at_the_start_costs_the_record_and_no_alarm(make_house, small_disk, how):
    """A disk that is dying is made read-only by the kernel, and what starts then meets it so. Mended, it is used without a
    restart."""
    listen = f"127.0.0.1:{loopback.free_port()}"
    house = make_house(unchecked=True, state_dir=small_disk / "state",
                       adjust=lambda configuration: configuration["daemon"].update(http_listen=listen))
    house.stop()
    away = small_disk / "away"
    if how == "missing":
        house.state_dir.rename(away)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    house.daemon.run([BUILD / "daemon" / "tocsind", "--config", house.daemon.config_file])
    press = house.button().press()
    assert house.police.told("alarm.opened", press).data["recorded"] is False
    house.trouble("journal")
    assert not press.receipts(), "a yes without a record"
    if how == "read-only":
        second = subprocess.run([BUILD / "daemon" / "tocsind", "--config", house.daemon.config_file], capture_output=True, text=True)
        assert second.returncode == 1 and "there must be only one daemon" in second.stderr
    if how == "missing":
        away.rename(house.state_dir)
    else:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    alarm = house.police.told("alarm.opened", press).alarm["id"]
    house.deed(alarm, "close", disposition="false", seen_version=house.alarm(alarm)["version"])
    house.wait_for(lambda: "starting anew, with a record" in house.daemon.log(), "it has seen that nothing is open", timeout_s=40)
    house.daemon.wait_until_it_answers()
    house.no_trouble("journal")
    fire = house.button("school-1/gate").press(kind="fire")
    fire.receipt("recorded")
    assert fire.identity in stored(house)


def test_a_disk_that_does_not_answer_holds_up_no_alarm(make_house):
    """Not the question how much room there is, either: it was asked where everything is decided."""
    house = make_house(unchecked=True)
    with house.inject("statfs:delay_enter=300000000"):
        house.trouble("disk", "disk")
        press = house.button().press()
        house.police.told("alarm.opened", press)
        press.receipt("recorded")
    house.no_trouble("disk")


def test_a_disk_that_does_not_answer_holds_up_no_stop(make_house):
    house = make_house(unchecked=True)
    with house.inject("statfs:delay_enter=300000000"):
        house.trouble("disk", "disk")
        press = house.button().press()
        press.receipt("recorded")
        house.daemon.signal(signal.SIGTERM)
        house.wait_for(lambda: "ending without it" in house.daemon.log(), "it ends all the same")
    assert house.daemon.process.wait(PATIENCE_S) == 1  # strace has let go of it
    house.restart()
    assert press.identity in stored(house)


def test_a_read_that_a_disk_holds_holds_up_no_stop(make_house):
    """The question stays without an answer; what was recorded, and that it stopped, is committed all the same."""
    house = make_house(unchecked=True)
    press = house.button().press()
    press.receipt("recorded")
    tasks = pathlib.Path(f"/proc/{house.daemon.pid}/task")
    with house.inject("pread64:delay_enter=300000000"):
        asking = threading.Thread(target=house.ask, args=("GET", "/api/v1/journal", "admin"))
        asking.start()
        house.wait_for(lambda: any(task.read_text().startswith("17 ") for task in tasks.glob("*/syscall")), "it reads")
        house.daemon.signal(signal.SIGTERM)
        house.wait_for(lambda: "ending without it" in house.daemon.log(), "it ends all the same")
    asking.join()
    assert house.daemon.process.wait(PATIENCE_S) == 1  # strace has let go of it
    assert "does not answer: what it has not taken is lost" not in house.daemon.log()
    house.restart()
    assert press.identity in stored(house)
    assert house.journal("daemon_stopped"), "it was not recorded that it stopped"


def test_a_database_taken_away_is_seen_and_nothing_is_called_recorded(make_house):
    house = make_house(unchecked=True)
    room, database = house.button(), house.state_dir / "journal.db"
    room.press(kind="medical").receipt("recorded")
    away = database.rename(house.folder / "away.db")
    assert "removed or replaced" in house.trouble("journal")["text"]
    press = room.press(kind="fire")
    assert house.police.told("alarm.opened", press).data["recorded"] is False
    assert not press.receipts(), "a yes without a record"
    away.rename(database)
    press.receipt("recorded", timeout_s=40)
    house.no_trouble("journal", timeout_s=40)
    house.daemon.kill()
    house.restart()
    assert press.identity in stored(house)


def test_a_log_taken_away_is_seen_and_costs_no_record(house):
    room = house.button()
    before = room.press(kind="medical")
    before.receipt("recorded")
    (house.state_dir / "journal.db-wal").unlink()
    assert "restart the daemon" in house.trouble("disk")["text"]
    press = room.press(kind="fire")
    press.receipt("recorded")
    house.police.told("alarm.opened", press)
    house.police.told("alarm.opened", before)
    house.daemon.kill()
    house.restart()
    assert {before.identity, press.identity} <= stored(house)
    house.no_trouble("disk")
