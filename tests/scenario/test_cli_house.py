"""The tool with a whole Tocsin: what a desk and an administrator do all day, with nothing but `tocsin`."""
import json
import os
import shutil
import subprocess
import threading

import pytest

from house import BUILD, loopback

pytestmark = pytest.mark.asan


def tool(house, *words, **options):
    return house.tool(*words, check=False, **options)


def press_tool(house, device, *words, signed=True, **options):
    """`tocsin press` as that button."""
    password = house.private(f"{device}.password", house.broker.passwords[f"school-1/{device}"] + "\n")
    key = ["--config", str(house.folder / "tocsin.yaml")] if signed else ["--broker", f"127.0.0.1:{house.broker.port}"]
    return tool(house, "press", "--site", "school-1", "--device", device, "--username", f"school-1/{device}", "--password-file",
                str(password), *key, *words, connected=False, **options)


def pressed(house):
    press = house.button().press(kind="panic", battery=9, extra="field")
    press.receipt("recorded")
    house.police.told("alarm.opened", press)
    return press


def test_an_alarm_is_answered_from_first_to_last_word(house):
    press = pressed(house)
    short = press.alarm_id[:8]
    assert press.alarm_id in house.tool("alarms")
    assert "is acknowledged" in house.tool("ack", short, "--note", "我们来了 on our way")
    late = tool(house, "ack", short, account="desk-2")
    assert late.returncode == 5 and "desk-1" in late.stderr
    assert tool(house, "ack", short, account="viewer").returncode == 4
    house.tool("coming", short)
    house.tool("on-scene", short)
    house.tool("note", short, "a second note")
    assert "accident" in house.tool("close", short, "--disposition", "accidental")
    again = tool(house, "close", press.alarm_id, "--disposition", "real")
    assert again.returncode == 5 and "desk-1" in again.stderr
    assert "all quiet" in house.tool("alarms")
    assert press.alarm_id in house.tool("alarms", "--closed")
    story = house.tool("show", press.alarm_id)
    told = [sentence for line in story.splitlines() for sentence in (
        "panic pressed: Room 101", "The police desk received it", "acknowledged: \"我们来了 on our way\"", "help is coming",
        "help is on the scene", "added a note: \"a second note\"", "closed the alarm: pressed by accident") if sentence in line]
    order = [told.index(sentence) for sentence in dict.fromkeys(told)]
    assert len(order) == 7 and order == sorted(order), story
    assert "unknown fields" in story and "battery 9 %" in story and "duty teacher +86 21 0000 0000" in story
    assert "this changed nothing: somebody was first" in story
    chinese = house.tool("show", press.alarm_id, "--lang", "zh-CN")
    assert "紧急求助" in chinese and "已签收" in chinese and "误触" in chinese
    assert json.loads(house.tool("show", press.alarm_id, "--json"))["id"] == press.alarm_id


def test_nobody_closes_what_they_have_not_seen(house):
    press = pressed(house)
    seen = json.loads(house.tool("show", press.alarm_id, "--json"))["version"]
    later = house.button("school-1/room-102").press(kind="panic")
    later.receipt("recorded")
    refused = tool(house, "close", press.alarm_id, "--disposition", "false", "--seen", str(seen))
    assert refused.returncode == 5 and "tocsin show" in refused.stderr
    assert house.alarm(press)["state"] != "closed"
    house.tool("close", press.alarm_id, "--disposition", "false")
    assert house.alarm(press)["state"] == "closed"


def test_the_parts_are_listed(house):
    house.button().heartbeat(battery=80)
    assert "80 %" in house.wait_for(lambda: (lambda text: "80 %" in text and text)(house.tool("devices")), "the battery is listed")
    assert {device["id"] for device in json.loads(house.tool("devices", "--json"))["devices"]} == set(house.devices)
    assert "room-101" not in house.tool("devices", "--bad")
    house.police.down()
    house.trouble("endpoint", "police")
    assert "DOWN" in house.tool("endpoints")
    assert "police" in house.tool("troubles", account="admin")


def test_watch_tells_what_happens_over_a_restart(make_house):
    port = loopback.free_port()

    def keep_the_port(configuration):
        configuration["daemon"]["http_listen"] = f"127.0.0.1:{port}"

    house = make_house(adjust=keep_the_port)
    file = house.private("admin.token", house.token("admin") + "\n")
    watching = subprocess.Popen([str(BUILD / "clients" / "cli" / "tocsin"), "watch", "--json", "--url", house.daemon.url, "--token-file",
                                 str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines, states = [], []

    def collect(stream, into):
        for line in stream:
            with house.changed:
                into.append(line)
                house.changed.notify_all()

    threads = [threading.Thread(target=collect, args=pair, daemon=True) for pair in ((watching.stdout, lines), (watching.stderr, states))]
    for thread in threads:
        thread.start()
    try:
        house.wait_for(lambda: any("connected to" in line for line in states), "watch is connected")
        first = pressed(house)
        house.wait_for(lambda: any(first.alarm_id in line and "press_received" in line for line in lines), "watch tells the press")
        house.alarm_when(first, lambda alarm: all(delivery["state"] in ("received", "waiting") for delivery in alarm["deliveries"]),
                         "everybody told so far has received it")
        house.daemon.kill()
        house.restart()
        second = house.button("school-1/gate").press(kind="fire")
        second.receipt("recorded")
        house.wait_for(lambda: any("press_received" in line and '"fire"' in line for line in lines), "watch is there again")
        seqs = [json.loads(line)["seq"] for line in lines]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), "watch missed or doubled something"
    finally:
        watching.terminate()
        watching.wait(10)
        for thread in threads:
            thread.join(10)


def test_replay_from_daemon_database_and_export_tell_the_same(house):
    press = pressed(house)
    house.tool("ack", press.alarm_id, "--note", "noted")
    house.close_alarm(press)
    house.police.told("alarm.closed", press)
    house.stop()
    database = str(house.state_dir / "journal.db")
    folder = house.export()
    words = ["replay", press.alarm_id, "--speed", "0", "--json"]
    from_database = house.tool(*words, "--journal", database, connected=False)
    from_export = house.tool(*words, "--journal", str(folder), connected=False)
    assert from_database == from_export and from_database.count("\n") >= 4
    house.restart()
    assert house.tool(*words).splitlines()[:len(from_export.splitlines())] == from_export.splitlines()
    everything = house.tool("replay", "--speed", "0", "--json", account="admin").splitlines()
    assert [json.loads(line)["seq"] for line in everything] == list(range(1, len(everything) + 1))
    assert "noted" in house.tool("replay", press.alarm_id, "--speed", "0", "--journal", database, connected=False)
    one = json.loads(everything[2])
    period = house.tool("replay", "--from", one["at"], "--to", one["at"], "--speed", "0", "--json", account="admin")
    assert everything[2] in period.splitlines()


def test_the_journal_is_proved_and_a_note_erased(house):
    press = pressed(house)
    house.tool("ack", press.alarm_id, "--note", "a secret")
    seq = next(line["seq"] for line in house.journal("acknowledged"))
    assert "the proof was checked here" in house.tool("journal", "prove", str(seq), account="admin")
    assert tool(house, "journal", "prove", "100000", account="admin").returncode in (1, 2)
    assert tool(house, "journal", "prove", str(seq), account="guard-2").returncode in (0, 4)
    database = str(house.state_dir / "journal.db")
    running = tool(house, "journal", "erase-note", str(seq), "--journal", database, connected=False)
    assert running.returncode == 5, "a note was erased under a running daemon"
    house.stop()
    before = house.tool("journal", "prove", str(seq), "--journal", database, connected=False)
    house.tool("journal", "erase-note", str(seq), "--journal", database, connected=False)
    assert house.tool("journal", "prove", str(seq), "--journal", database, connected=False) == before
    assert b"a secret" not in (house.state_dir / "journal.db").read_bytes()
    for number, because in (str(seq), f"entry {seq} has no note"), ("100000", "there is no entry 100000"):
        again = tool(house, "journal", "erase-note", number, "--journal", database, connected=False)
        assert again.returncode == 1 and because in again.stderr, again.stderr
    key = str(house.folder / "journal.key.pub")
    assert "good:" in house.tool("journal", "verify", database, "--key", key, connected=False)
    assert json.loads(house.tool("journal", "verify", database, "--key", key, "--json", connected=False))["signed_by_key"] is True
    house.restart()
    assert "a secret" not in house.tool("show", press.alarm_id)
    assert "was erased" in house.tool("show", press.alarm_id)


def test_what_an_endpoint_was_told_is_a_witness(house):
    press = pressed(house)
    telling = house.police.told("alarm.opened", press)
    house.close_alarm(press)
    witness = json.loads(telling.raw)["journal"]
    folder, key = str(house.export()), str(house.folder / "journal.key.pub")
    oddly_named = os.fsdecode(os.fsencode(house.folder / "evidence-") + b"\xe9")
    said = house.tool("journal", "export", oddly_named, "--journal", str(house.state_dir / "journal.db"), "--key", key, "--json",
                      connected=False)
    assert json.loads(said)["folder"].endswith("evidence-\ufffd")
    words = ["journal", "verify", folder, "--key", key, "--witness"]
    if witness["size"]:
        assert tool(house, *words, f"{witness['size']}:{witness['root']}", connected=False).returncode == 0
    forged = "A" * 43 + "="
    assert tool(house, *words, f"1:{forged}", connected=False).returncode == 1


@pytest.mark.parametrize("device", ["room-101", "signed"])
def test_a_press_from_the_tool_is_a_test_unless_real(house, device):
    done = press_tool(house, device)
    assert done.returncode == 0 and "This is a TEST press" in done.stderr, done.stderr
    assert {alarm["mode"] for alarm in house.api("alarms", state="all")["alarms"]} == {"test"}
    done = press_tool(house, device, "--real", "--kind", "attack", "--until", "delivered", "--json")
    assert done.returncode == 0 and "REAL" in done.stderr, done.stderr
    press, *receipts = [json.loads(line) for line in done.stdout.splitlines()]
    assert press["kind"] == "attack" and receipts[-1]["stage"] == "delivered"
    alarm = house.alarm(receipts[-1]["alarm"])
    assert alarm["mode"] == "real" and alarm["kind"] == "attack"
    assert not any(line.get("odd") for line in house.journal("press_received"))


def test_a_press_that_is_refused_or_unheard_is_no_success(house):
    done = press_tool(house, "signed", signed=False)
    assert done.returncode == 1 and "refused" in done.stdout
    assert press_tool(house, "room-101", "--until", "delivered", "--wait", "1").returncode == 1  # nobody wants tests here
    house.daemon.kill()
    done = press_tool(house, "room-101", "--wait", "3")
    assert done.returncode == 1 and "sent again" in done.stderr and "does the daemon run" in done.stderr
    house.restart()
    config = str(house.folder / "tocsin.yaml")
    nobody = tool(house, "press", "--site", "school-1", "--device", "gate", "--config", config, connected=False)
    assert nobody.returncode == 4, "it spoke to the broker in the daemon's name"
    wrong = house.private("wrong.password", "wrong\n")
    done = press_tool(house, "room-101", "--password-file", str(wrong))
    assert done.returncode == 4


def test_an_exported_folder_can_be_moved(house, tmp_path):
    pressed(house)
    house.close_alarm(house.api("alarms")["alarms"][0])
    folder = shutil.move(str(house.export()), str(tmp_path / "elsewhere"))
    assert tool(house, "journal", "verify", folder, connected=False).returncode == 0
    assert tool(house, "journal", "export", folder, "--journal", str(house.state_dir / "journal.db"), "--key",
                str(house.folder / "journal.key.pub"), connected=False).returncode == 1  # never into one that is there
