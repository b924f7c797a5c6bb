"""SIGHUP: a good configuration is taken over; a bad one changes nothing and says why. Nor does one at a start."""
import base64
import secrets
import signal

import pytest
import yaml


def rewrite(house, change):
    file = house.folder / "tocsin.yaml"
    configuration = yaml.safe_load(file.read_text())
    text = change(configuration)
    file.write_text(text if isinstance(text, str) else yaml.safe_dump(configuration, allow_unicode=True))
    house.daemon.signal(signal.SIGHUP)


def set_value(path, value):
    def change(configuration):
        at = configuration
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = value
    return change


def remove(path):
    def change(configuration):
        at = configuration
        for name in path[:-1]:
            at = at[name]
        del at[path[-1]]
    return change


BAD = {
    "not YAML": lambda _: "daemon: [1, 2\n",
    "empty": lambda _: "",
    "tabs": lambda _: "daemon:\n\tname: x\n",
    "not UTF-8": lambda _: "daemon: \udcff\n".encode("utf-8", "surrogateescape").decode("latin-1"),
    "unknown key": set_value(["daemon", "colour"], "red"),
    "missing section": remove(["plans"]),
    "missing key": remove(["daemon", "name"]),
    "wrong type": set_value(["broker", "port"], "many"),
    "out of range": set_value(["broker", "port"], 70000),
    "unit in the value": set_value(["daemon", "record_wait_ms"], "50ms"),
    "unknown endpoint": set_value(["plans", 0, "steps", 0, "endpoints"], ["polcie"]),
    "unknown role": set_value(["endpoints", 0, "role"], "polcie"),
    "role that nobody has": set_value(["plans", 0, "acks_needed"], ["admin"]),
    "an id twice": lambda configuration: configuration["endpoints"].append(configuration["endpoints"][0]),
    "bad id": set_value(["endpoints", 0, "id"], "po/lice"),
    "bad address": set_value(["endpoints", 0, "urls"], ["ftp://127.0.0.1/"]),
    "missing secret": set_value(["endpoints", 0, "secret_file"], "nowhere.secret"),
    "broken authority": set_value(["endpoints", 0, "ca_file"], "journal.key.pub"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_changes_nothing_and_says_why(reloading_house, name):
    house = reloading_house
    before = (house.folder / "tocsin.yaml").read_text()
    log = len(house.daemon.log())
    try:
        rewrite(house, BAD[name])
        trouble = house.trouble("conf")
        assert "tocsin.yaml" in house.daemon.log()[log:], "the log names no file"
        assert trouble["text"]
        house.button().press().receipt("recorded")
        checked = house.tool("check-config", str(house.folder / "tocsin.yaml"), connected=False, check=False)
        assert checked.returncode == 1 and "tocsin.yaml" in checked.stdout + checked.stderr
    finally:
        (house.folder / "tocsin.yaml").write_text(before)
        house.daemon.signal(signal.SIGHUP)
    house.no_trouble("conf")


@pytest.fixture(scope="module")
def reloading_house(tmp_path_factory):
    from house import House
    with House(tmp_path_factory.mktemp("reload")) as house:
        yield house
        house.check()


def test_a_secret_that_others_can_read_is_refused(house):
    secret = house.folder / "police.secret"
    secret.chmod(0o644)
    house.daemon.signal(signal.SIGHUP)
    assert "police.secret" in house.trouble("conf")["text"] + house.daemon.log()
    secret.chmod(0o600)
    house.daemon.signal(signal.SIGHUP)
    house.no_trouble("conf")


def test_a_secret_in_the_wrong_place_goes_nowhere(house):
    """What is wrong with a configuration every desk sees, and the journal keeps: no key without its device, no password."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    (house.folder / "school-1.keys").write_text(key + "\n")
    rewrite(house, set_value(["endpoints", 0, "urls"], [f"https://us:{key}@127.0.0.1/", f"https://127.0.0.1:0/{key}"]))
    house.trouble("conf")
    house.wait_for(lambda: "school-1.keys:1: " in house.daemon.log(), "each fault is in the log")
    told = [house.daemon.log(), house.ask("GET", "/api/v1/journal", "admin").text, house.ask("GET", "/api/v1/troubles").text]
    assert not [text for text in told if key[:20] in text]


@pytest.mark.asan
def test_a_new_endpoint_is_told_of_the_next_alarm_and_an_open_one_is_not_disturbed(house):
    open_before = house.button().press()
    open_before.receipt("recorded")
    house.police.told("alarm.opened", open_before)

    def only_guard(configuration):
        configuration["plans"][0]["steps"] = [{"endpoints": ["guard"], "answer_timeout_s": 60}]
        configuration["plans"][0]["acks_needed"] = ["guard"]
    rewrite(house, only_guard)
    house.feed.wait("conf_loaded")
    house.guard.told("alarm.opened", open_before)  # its own plan goes on: step 2
    fire = house.button().press(kind="fire")
    house.guard.told("alarm.opened", fire)
    assert [one["endpoint"] for one in house.alarm(fire)["deliveries"]] == ["guard"]
    assert [one["endpoint"] for one in house.alarm(open_before)["deliveries"]] == ["police", "bureau", "guard"]


def test_of_daemon_and_broker_a_reload_takes_over_what_the_manual_names(house):
    def other(configuration):
        configuration["daemon"].update(disk_free_mb=1048576, http_listen="127.0.0.1:1", name="tocsin.other",
                                       state_dir="elsewhere", journal_key_file="other.key")
        configuration["broker"]["port"] = 1
    house.tool("keygen", "journal", str(house.folder / "other.key"), "--name", "tocsin.other", connected=False)
    rewrite(house, other)
    assert "less than 1048576 MB" in house.trouble("disk")["text"]  # asked at the old address, of the old folder's disk
    press = house.button().press()  # through the old broker
    press.receipt("recorded")
    assert house.api(f"alarms/{press.alarm_id}/bundle")["key"].startswith("tocsin.test+")


def let_in(house, device):
    house.broker.passwords[device] = "a password"
    house.broker._write_files()
    house.broker.signal(signal.SIGHUP)


def test_a_new_device_may_press_after_a_reload(make_house):
    house = make_house()
    let_in(house, "school-1/new-room")
    site = house.site_configuration("school-1")
    site["keys_file"] = str(house.folder / site["keys_file"])
    site["devices"].append({"id": "new-room", "silent_after_s": 0})
    (house.folder / "sites.d" / "school-1.yaml").write_text(yaml.safe_dump({"sites": [site]}, allow_unicode=True))
    house.daemon.signal(signal.SIGHUP)
    house.feed.wait("conf_loaded")
    press = house.button("school-1/new-room").press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


def test_a_new_site_hears_at_once_that_it_is_quiet_and_one_that_is_gone_that_it_is_again(house):
    file = house.folder / "sites.d" / "new-school.yaml"
    let_in(house, "new-school/gate")
    gate = house.button("new-school/gate")  # it hears its site's state, too
    site = {**house.site_configuration("new-school"), "devices": [{"id": "gate", "silent_after_s": 0}]}
    file.write_text(yaml.safe_dump({"sites": [site]}, allow_unicode=True))
    house.daemon.signal(signal.SIGHUP)
    house.wait_for(lambda: [state["alarms"] for state in gate.states] == [[]], "all quiet")

    press = gate.press()
    house.wait_for(lambda: gate.states[-1]["alarms"], "an alarm")
    file.unlink()
    house.daemon.signal(signal.SIGHUP)
    house.wait_for(lambda: len(house.feed.find("conf_loaded")) == 2, "the site is gone")
    house.close_alarm(press, account="admin")
    house.wait_for(lambda: not gate.states[-1]["alarms"], "all quiet again")


def kept(house, text):
    file = house.daemon.last_good_file
    house.wait_for(lambda: file.exists() and text in file.read_text(), f"a copy of the configuration with \"{text}\"")


@pytest.mark.asan
def test_a_start_with_a_bad_file_runs_on_the_last_good_one_and_says_so(house):
    file = house.folder / "tocsin.yaml"
    good = file.read_text()
    open_before = house.button().press()
    open_before.receipt("recorded")
    kept(house, "tocsin.test")
    house.stop()
    file.write_text("daemon: [1, 2\n")
    house.restart()

    trouble = house.trouble("conf", "configuration")
    assert "last good configuration, of 20" in trouble["text"] and "tocsin.yaml:1" in trouble["text"], trouble["text"]
    after = house.button("school-1/room-102").press(kind="fire")
    after.receipt("recorded")
    house.police.told("alarm.opened", after)  # its address, its secret and its authority are those of the file's own folder
    house.close_alarm(open_before)

    house.daemon.kill()
    house.restart()  # what is bad was not kept, and what is kept stays in use
    house.trouble("conf", "configuration")
    file.write_text(good + "# mended\n")
    house.daemon.signal(signal.SIGHUP)
    house.no_trouble("conf", "configuration")
    kept(house, "# mended")


def test_a_start_with_a_site_that_is_bad_has_it_as_it_was(house):
    kept(house, "tocsin.test")
    house.stop()
    (house.folder / "sites.d" / "school-1.yaml").write_text("sites:\n  - id: school-1\n    naem: School\n")
    house.restart()
    assert "school-1.yaml:3" in house.trouble("conf", "configuration")["text"]
    press = house.button().press()
    press.receipt("recorded")
    house.police.told("alarm.opened", press)


@pytest.mark.parametrize("spoil, says", [
    (lambda copy: copy.unlink(), "last-good.conf: cannot be read (No such file or directory)"),
    (lambda copy: copy.write_bytes(copy.read_bytes()[:-1]), "is no whole copy of a configuration"),
    (lambda copy: copy.write_bytes(copy.read_bytes().replace(b"daemon:", b"deamon:", 1)), "is no whole copy of a configuration"),
], ids=["gone", "cut", "changed"])
def test_a_start_without_any_good_configuration_says_what_is_wrong_with_both(make_house, spoil, says):
    house = make_house()
    kept(house, "tocsin.test")
    house.stop()
    (house.folder / "tocsin.yaml").write_text("")
    spoil(house.daemon.last_good_file)
    house.daemon.launch()
    assert house.daemon.process.wait(30) == 1
    assert says in house.daemon.log() and "tocsin.yaml: " in house.daemon.log()


def test_a_daemon_that_cannot_keep_its_configuration_runs_and_says_so(make_house):
    house = make_house(start=False)
    house.daemon.last_good_file = house.folder / "nowhere" / "last-good.conf"
    house.start()
    house.wait_for(lambda: "last-good.conf cannot be written (No such file" in house.daemon.log(), "a word in the log")
    house.button().press().receipt("recorded")
