"""The tool without a daemon: help, wrong usage, keys, configurations, and the golden timelines of `simulate`."""
import json
import os
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOCSIN = Path(os.environ.get("TOCSIN_BUILD", ROOT / "build" / "test")) / "clients" / "cli" / "tocsin"
GOLDEN = Path(__file__).resolve().parent / "cli"

pytestmark = pytest.mark.asan


def run(*words, folder=None, language="C.UTF-8", stdin="", **environment):
    settings = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": language, "TZ": "UTC", **environment}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        if name in os.environ:
            settings[name] = os.environ[name]
    return subprocess.run([str(TOCSIN), *map(str, words)], cwd=folder, env=settings, input=stdin, capture_output=True, text=True,
                          timeout=60)


def commands():
    listing = run("--help").stdout.split("Commands:\n")[1].split("\n\n")[0]
    return [re.match(r"  (\S+( \S+)?)  +\S", line).group(1) for line in listing.splitlines()]


COMMANDS = ["check-config", "simulate", "press", "alarms", "show", "ack", "coming", "on-scene", "close", "note", "watch", "replay",
            "troubles", "devices", "endpoints", "journal verify", "journal export", "journal prove", "journal erase-note",
            "account add", "account password", "keygen journal", "keygen device", "keygen webhook", "keygen token"]


def test_every_command_is_there():
    assert commands() == COMMANDS


@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, language):
    done = run(*command.split(), "--help", language=language)
    assert done.returncode == 0 and done.stderr == ""
    assert f"tocsin {command}" in done.stdout and "--json" in done.stdout
    assert run("help", *command.split(), language=language).stdout == done.stdout
    assert ("用法" in done.stdout) == (language != "C.UTF-8")


# Wrong words → what the sentence says.
WRONG = [
    ([], "say what is to be done"),
    (["alarm"], 'did you mean "alarms"'),
    (["frobnicate"], "there is no command"),
    (["journal"], "journal verify"),
    (["journal", "burn"], "journal verify"),
    (["--frobnicate"], "there is no option"),
    (["show"], "something is missing: ALARM"),
    (["show", "a", "b"], '"b" is too much'),
    (["show", "--frob", "a"], 'there is no option "--frob"'),
    (["show", "-x", "a"], 'there is no option "-x"'),
    (["show", "a", "--url"], '"--url" needs a value'),
    (["close", "aaaa"], "--disposition is needed"),
    (["close", "aaaa", "--disposition", "boring"], "one of real|false|accidental"),
    (["close", "aaaa", "--disposition", "real", "--seen", "0"], "a whole number from 1"),
    (["alarms", "--limit", "many"], "a whole number from 1 to 1000"),
    (["alarms", "--limit", "99999999999999999999"], "a whole number from 1 to 1000"),
    (["alarms", "--site", "a b"], "is not an id"),
    (["devices", "--site", "../etc"], "is not an id"),
    (["--lang", "fr", "alarms"], "en or zh-CN"),
    (["alarms", "--lang", "fr"], "en or zh-CN"),
    (["simulate"], "--config is needed"),
    (["press"], "--site is needed"),
    (["press", "--site", "s", "--device", "d"], "--broker"),
    (["press", "--site", "s", "--device", "d", "--test", "--real", "--broker", "127.0.0.1:1"], "only one of"),
    (["press", "--site", "s/#", "--device", "d", "--broker", "127.0.0.1:1"], "is not an id"),
    (["replay", "--from", "yesterday"], "is not a time"),
    (["replay", "--speed", "-1"], "--speed"),
    (["replay", "--speed", "fast"], "a number from 0 to 1000000"),
    (["replay", "--speed", "2x"], "a number from 0 to 1000000"),
    (["replay", "--speed", ""], "a number from 0 to 1000000"),
    (["replay", "--speed", "nan"], "a number from 0 to 1000000"),
    (["watch", "--count", "0"], "a whole number from 1"),
    (["journal", "prove", "first"], "is not the number of a journal entry"),
    (["journal", "export", "folder"], "--journal is needed"),
    (["journal", "verify", "/", "--witness", "12"], "SIZE:ROOT"),
    (["account", "add", "post-1", "--role", "school"], "--site SITE or --site SITE,… would be right"),
    (["account", "add", "post-1", "--role", "guard"], "--site SITE or --site SITE,… would be right"),
    (["journal", "verify", "/", "--witness", f"-1:{'A' * 43}="], "SIZE:ROOT"),
    (["journal", "verify", "/", "--witness", f"{2 ** 64}:{'A' * 43}="], "SIZE:ROOT"),
    (["keygen", "journal", "key"], "--name is needed"),
    (["keygen", "journal", "key", "--name", "with space"], "without spaces"),
    (["keygen", "device", "--device", "room 204"], "is not an id"),
    (["alarms", "--url", "ftp://127.0.0.1/"], "is not an address"),
    (["alarms", "--url", "http://192.0.2.1:8080"], "unencrypted"),
    (["alarms", "--url", "http://127.evil.example"], "unencrypted"),
    (["alarms", "--url", "http://127.0.0.1.evil.example:8080"], "unencrypted"),
    (["alarms", "--url", "http://localhost.evil.example"], "unencrypted"),
    (["alarms", "--url", "http://127.0.0.1@evil.example"], "unencrypted"),
    (["alarms", "--url", "http://128.0.0.1"], "unencrypted"),
]


@pytest.mark.parametrize("words,sentence", WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_wrong_usage_is_a_sentence_and_exit_code_2(words, sentence, tmp_path):
    done = run(*words, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert sentence in done.stderr and done.stderr.startswith("tocsin: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words,sentence", WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_wrong_usage_is_said_in_chinese_too(words, sentence, tmp_path):
    done = run(*words, folder=tmp_path, language="zh_CN.UTF-8")
    assert done.returncode == 2
    assert re.search(r"[\u4e00-\u9fff]", done.stderr)


# What is missing → the exit code.
MISSING = [
    ("journal verify none", 3), ("journal verify school --key none", 3), ("journal prove 1 --journal none", 3),
    ("journal erase-note 1 --journal none", 3), ("journal export new --journal none --key journal.key.pub", 3),
    ("journal export new --journal journal.key --key none", 3), ("replay --journal none", 3),
    ("simulate --config tocsin.yaml --site school-1 --device room-204 --expect none", 3),
    ("press --site school-1 --device room-204 --broker 127.0.0.1:1 --password-file none", 3),
    ("press --site school-1 --device room-204 --broker 127.0.0.1:1 --device-key-file none", 3),
    ("press --site school-1 --device room-204 --broker 127.0.0.1:1 --device-key-file endpoint.secret", 2),
    ("press --site school-1 --device room-204 --broker 127.0.0.1:1", 3),
    ("alarms --url http://127.0.0.1:1 --token-file none", 4), ("check-config none", 1), ("keygen webhook none/secret", 1),
    ("account add desk-1 --role duty --config tocsin.yaml --password-file none", 1),
    ("account add desk-1 --role duty --config tocsin.yaml --password-file -", 1),
    ("account password desk-1 --config tocsin.yaml --password-file -", 1),
]


@pytest.mark.parametrize("words,code", MISSING)
def test_what_is_missing_is_named_and_nothing_made(school, tmp_path, words, code):
    folder = tmp_path / "school"
    shutil.copytree(school, folder)
    before = sorted(folder.rglob("*"))
    for format in [], ["--json"]:
        done = run(*words.split(), *format, folder=folder)
        assert done.returncode == code, done.stderr
        assert (done.stderr or json.loads(done.stdout)["problems"]) and not done.stderr.endswith(": \n")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "127.1", "[::1]"])
def test_this_machine_is_asked_without_encryption(host, tmp_path):
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("tk_x\n")
    done = run("alarms", "--url", f"http://{host}:1", "--token-file", token)
    assert done.returncode == 3 and "cannot be reached" in done.stderr


def test_options_hold_before_and_after_the_command(tmp_path):
    before = run("--json", "keygen", "device")
    after = run("keygen", "device", "--json")
    assert json.loads(before.stdout).keys() == json.loads(after.stdout).keys() == {"key"}
    assert run("--lang", "zh-CN", "show").stderr == run("show", "--lang", "zh-CN", language="zh_CN.UTF-8").stderr


def test_a_full_disk_is_not_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(TOCSIN), "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1 and "could not be written" in done.stderr


def test_a_checkpoint_that_is_no_text_is_reported_as_json_all_the_same(tmp_path):
    assert run("keygen", "journal", "key", "--name", "tocsin.test", folder=tmp_path).returncode == 0
    (tmp_path / "export").mkdir()
    shutil.copy(tmp_path / "key.pub", tmp_path / "export" / "journal.pub")
    (tmp_path / "export" / "checkpoint.txt").write_bytes(b"tocsin\x90\n3\n" + b"A" * 43 + b"=\n\n")
    done = run("--json", "journal", "verify", "export", folder=tmp_path)
    assert done.returncode == 1
    assert "bears no good signature" in json.loads(done.stdout)["text"]


def test_what_cannot_be_read_is_not_called_bad(tmp_path):
    assert run("keygen", "journal", "key", "--name", "tocsin.test", folder=tmp_path).returncode == 0
    (tmp_path / "export" / "checkpoint.txt").mkdir(parents=True)
    done = run("journal", "verify", "export", "--key", "key.pub", folder=tmp_path)
    assert done.returncode == 3 and "BAD" not in done.stdout and "checkpoint.txt cannot be read" in done.stderr
    done = run("--json", "journal", "verify", "export", "--key", "key.pub", folder=tmp_path)
    assert done.returncode == 3 and json.loads(done.stdout)["unread"] is True
    (tmp_path / "export" / "checkpoint.txt").rmdir()
    done = run("journal", "verify", "export", "--key", "key.pub", folder=tmp_path)
    assert done.returncode == 1 and "BAD" in done.stdout, "an export without its checkpoint is none"
    (tmp_path / "journal.db").mkdir()
    prove = ("prove", "1", "--journal", "journal.db")
    export = ("export", "evidence", "--journal", "journal.db", "--key", "key.pub")
    for words in [prove, export]:
        done = run("journal", *words, folder=tmp_path)
        assert done.returncode == 3 and done.stdout == "" and "journal.db" in done.stderr, done
    (tmp_path / "journal.db").rmdir()
    (tmp_path / "journal.db").write_text("this is no database" * 100)
    for words in [prove, export]:
        done = run("journal", *words, folder=tmp_path)
        assert done.returncode == 1 and "is not a journal" in done.stderr, done


def test_a_path_that_is_no_utf8_is_reported_as_json_all_the_same(school):
    name = os.fsdecode(b"caf\xe9.yaml")
    shutil.copy(school / "tocsin.yaml", school / name)
    answer = json.loads(run("--json", "check-config", name, folder=school).stdout)
    assert answer["good"] is True and answer["file"] == "caf\ufffd.yaml"
    with open(school / name, "a") as file:
        file.write("nonsense: 1\n")
    answer = json.loads(run("--json", "check-config", name, folder=school).stdout)
    assert answer["good"] is False and answer["problems"][0].startswith("caf\ufffd.yaml:")
    answer = json.loads(run("--json", "keygen", "journal", os.fsdecode(b"cl\xe9"), "--name", "tocsin.test", folder=school).stdout)
    assert answer == {"key_file": "cl\ufffd", "public_key_file": "cl\ufffd.pub"}
    folder = school / os.fsdecode(b"\xe9cole")
    folder.mkdir()
    for file in "tocsin.yaml", "journal.key", "endpoint.secret":
        shutil.copy(school / file, folder)
    for words, word in (("add", "--role", "duty"), "first"), (("password",), "second"):
        done = run("--json", "account", words[0], "desk-9", *words[1:], "--config", folder / "tocsin.yaml", "--password-file", "-",
                   stdin=f"the {word} of two passwords\n")
        answer = json.loads(done.stdout)
        assert done.returncode == 0 and answer["configuration_good"] is True
        assert answer["file"].endswith("/\ufffdcole/accounts.d/desk-9.yaml")


# ---- keys

def test_keys_are_private_and_never_overwritten(tmp_path):
    for words, name in ((["keygen", "journal", "k", "--name", "tocsin.test"], "k"), (["keygen", "webhook", "w"], "w"),
                        (["keygen", "token", "t"], "t")):
        assert run(*words, folder=tmp_path).returncode == 0
        file = tmp_path / name
        before = file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        again = run(*words, folder=tmp_path)
        assert again.returncode == 1 and again.stderr
        assert file.read_bytes() == before
    assert (tmp_path / "k.pub").read_text().startswith("tocsin.test+")
    assert (tmp_path / "w").read_text().startswith("whsec_")


def test_a_token_and_its_hash_belong_together(tmp_path):
    import hashlib
    token, hashed = run("keygen", "token").stdout.split()
    assert token.startswith("tk_") and hashed == "sha256:" + hashlib.sha256(token.encode()).hexdigest()
    hashed = run("keygen", "token", "t", folder=tmp_path).stdout.strip()
    assert hashed == "sha256:" + hashlib.sha256((tmp_path / "t").read_text().strip().encode()).hexdigest()
    answer = json.loads(run("keygen", "token", "--json").stdout)
    assert answer["hash"] == "sha256:" + hashlib.sha256(answer["token"].encode()).hexdigest()


def test_secrets_are_random():
    assert len({run("keygen", "device").stdout for _ in range(5)}) == 5
    assert run("keygen", "device", "--device", "room-204").stdout.startswith("room-204 ")


# ---- configurations

@pytest.fixture(scope="module")
def school(tmp_path_factory):
    folder = tmp_path_factory.mktemp("school")
    shutil.copy(GOLDEN / "tocsin.yaml", folder)
    assert run("keygen", "journal", "journal.key", "--name", "tocsin.example.edu", folder=folder).returncode == 0
    assert run("keygen", "webhook", "endpoint.secret", folder=folder).returncode == 0
    return folder


def test_a_good_configuration_is_called_good(school):
    done = run("check-config", "tocsin.yaml", folder=school)
    assert done.returncode == 0 and "is good" in done.stdout and "3 devices" in done.stdout
    assert json.loads(run("check-config", "--json", "tocsin.yaml", folder=school).stdout)["good"] is True


def test_a_bad_configuration_is_explained_by_line(school, tmp_path):
    text = (school / "tocsin.yaml").read_text().replace("plan: school", "plan: college")
    bad = school / "bad.yaml"
    bad.write_text(text)
    line = 1 + text[:text.index("plan: college")].count("\n")
    done = run("check-config", "bad.yaml", folder=school)
    assert done.returncode == 1 and done.stdout == ""
    assert f"bad.yaml:{line}: " in done.stderr and "college" in done.stderr
    answer = json.loads(run("check-config", "--json", "bad.yaml", folder=school).stdout)
    assert answer["good"] is False and answer["problem_count"] == len(answer["problems"]) >= 1
    assert run("check-config", "missing.yaml", folder=school).returncode == 1


# A folder that everybody can get at, and a user "tocsin", in a world of its own.
AS_ROOT = """
mount -t tmpfs -o mode=755 tmpfs /mnt && cp -r "$2" /mnt/school && cp /etc/passwd /mnt/passwd || exit 99
echo tocsin:x:987:987::/:/bin/false >>/mnt/passwd && mount --bind /mnt/passwd /etc/passwd || exit 99
cd /mnt/school && chmod 755 . && chown -R 987:987 . || exit 99
eval "$3"
exec "$1" check-config tocsin.yaml
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
@pytest.mark.parametrize("change,file", [
    ("true", ""),
    ("chown root journal.key", "journal.key"),
    ("chown root endpoint.secret", "endpoint.secret"),
    ("chown root tocsin.yaml; chmod 600 tocsin.yaml", "tocsin.yaml"),
    ("mkdir sites.d; (umask 077; echo 'sites: []' >sites.d/new.yaml)", "sites.d/new.yaml"),
    ("mkdir -m 700 accounts.d", "accounts.d"),
])
def test_root_does_not_call_good_what_the_daemon_cannot_read(school, change, file):
    done = subprocess.run(["unshare", "-m", "sh", "-c", AS_ROOT, "sh", TOCSIN.resolve(), school, change], capture_output=True,
                          text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    assert done.returncode == (1 if file else 0), done.stderr
    if file:
        assert done.stderr.startswith("read as user tocsin, whom the daemon runs as:")
        assert f"{file} cannot be read" in done.stderr or f"{file}: cannot be read" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_a_folder_that_is_closed_to_the_daemon_is_read_as_root(school):
    done = subprocess.run(["unshare", "-m", "sh", "-c", AS_ROOT, "sh", TOCSIN.resolve(), school, "chown -R 0:0 .; chmod 700 ."],
                          capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    assert done.returncode == 0 and "is good" in done.stdout
    assert "user tocsin, whom the daemon runs as, cannot get at tocsin.yaml" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_what_root_makes_beside_a_journal_belongs_to_its_owner():
    script = ('mount -t tmpfs -o mode=755 tmpfs /mnt && install -d -o 987 -g 987 -m 700 /mnt/state && cd /mnt/state || exit 99; '
              'sqlite3 journal.db "PRAGMA journal_mode=WAL; CREATE TABLE other (x)"; chown 987:987 journal.db; '
              '"$1" journal erase-note 1 --journal /mnt/state/journal.db; echo $?; find . -user root')
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", TOCSIN.resolve()], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    assert done.stdout.splitlines()[1:] == ["1"], (done.stdout, done.stderr)


def test_an_account_that_would_spoil_the_configuration_leaves_nothing_behind(school, tmp_path):
    folder = tmp_path / "school"
    shutil.copytree(school, folder)
    words = ["account", "add", "post-1", "--role", "school", "--config", "tocsin.yaml", "--password-file", "-", "--site"]
    done = run(*words, "college", folder=folder, stdin="several easy words\n")
    assert done.returncode == 1 and done.stdout == ""
    assert "college" in done.stderr and "account post-1 was not made" in done.stderr
    assert list((folder / "accounts.d").iterdir()) == []
    assert run("check-config", "tocsin.yaml", folder=folder).returncode == 0
    hidden = run("account", "add", ".post", *words[3:], "school-1", folder=folder, stdin="several easy words\n")
    assert hidden.returncode == 1 and ".post.yaml is not read" in hidden.stderr
    assert list((folder / "accounts.d").iterdir()) == []
    done = run(*words, "school-1", folder=folder, stdin="several easy words\n")
    assert done.returncode == 0 and "account post-1 stands in" in done.stdout, done.stderr


@pytest.mark.parametrize("words", [["--broker-ca-file", "ca.pem"], ["--certificate-file", "our.pem", "--private-key-file", "our.pem"],
                                   ["--config", "tls.yaml"]])
def test_a_press_that_names_an_authority_or_a_certificate_sends_nothing_in_the_clear(school, words):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "our.pem",
                    "-out", "ca.pem", "-subj", "/CN=authority"], cwd=school, check=True, capture_output=True)
    with open(school / "our.pem", "a") as both:
        both.write((school / "ca.pem").read_text())
    text = (school / "tocsin.yaml").read_text()
    (school / "tls.yaml").write_text(text.replace("\nbroker:\n", "\nbroker:\n  ca_file: ca.pem\n"))
    (school / "password").touch(mode=0o600)
    (school / "password").write_text("the password of the button\n")
    with socket.create_server(("127.0.0.1", 0)) as broker:
        heard = []

        def listen():
            broker.settimeout(30)
            connection, _ = broker.accept()
            heard.append(connection.recv(4096))
            connection.close()
        listening = threading.Thread(target=listen)
        listening.start()
        done = run("press", "--site", "school-1", "--device", "room-204", "--broker", f"127.0.0.1:{broker.getsockname()[1]}",
                   "--username", "school-1/room-204", "--password-file", "password", *words, folder=school)
        listening.join()
    assert done.returncode == 3
    assert heard[0][0] == 0x16, f"no TLS handshake: {heard[0]!r}"  # RFC 8446, section 5.1


# ---- simulate: the golden timelines

SIMULATIONS = {
    "nobody": "--until 400",
    "ack-at-45": "--until 400 --answers police:acknowledge@45,police:coming@60,police:on-scene@300,police:close@350",
    "ack-without-coming": "--until 400 --answers police:acknowledge@45",
    "press-again": "--until 300 --answers police:acknowledge@10 --press-again 20,95",
    "graver-kind": "--until 200 --answers police:acknowledge@10,police:coming@12 --press-again 20,50:attack:gate",
    "wrong-role": "--until 200 --answers bureau:acknowledge@10,guard:acknowledge@40,police:acknowledge@50,duty:acknowledge@60",
    "other-class": "--until 100 --press-again 5:fire:smoke,6:cancel --answers police:acknowledge@10",
    "test": "--until 200 --mode test",
    "drill": "--until 200 --mode drill",
}


def simulate(school, *words, **options):
    return run("simulate", "--config", "tocsin.yaml", "--site", "school-1", "--device", "room-204", *words, folder=school, **options)


@pytest.mark.parametrize("name", SIMULATIONS)
def test_the_timeline_is_the_golden_one(school, name):
    words = SIMULATIONS[name].split()
    done = simulate(school, *words)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout == (GOLDEN / f"{name}.txt").read_text()
    compared = simulate(school, *words, "--expect", GOLDEN / f"{name}.txt")
    assert compared.returncode == 0, compared.stderr


def test_a_simulation_leaves_nothing_behind(school):
    before = {path: path.stat().st_mtime_ns for path in school.rglob("*")}
    assert simulate(school, "--until", "100").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in school.rglob("*")} == before


def test_a_changed_plan_is_shown_as_a_difference(school):
    changed = (school / "tocsin.yaml").read_text().replace("answer_timeout_s: 30", "answer_timeout_s: 20")
    (school / "changed.yaml").write_text(changed)
    done = run("simulate", "--config", "changed.yaml", "--site", "school-1", "--device", "room-204", "--until", "400", "--expect",
               GOLDEN / "nobody.txt", folder=school)
    assert done.returncode == 1
    assert "-      +30.000 s  nobody acknowledged step 1 within 30 s" in done.stdout
    assert "+      +20.000 s  nobody acknowledged step 1 within 20 s" in done.stdout
    for unreadable in "missing.txt", ".":
        done = simulate(school, "--expect", unreadable)
        assert done.returncode == 3 and done.stdout == "" and f"{unreadable} cannot be read" in done.stderr


def test_a_comparison_is_json_too(school):
    saved = school / "saved.json"
    saved.write_text(simulate(school, "--until", "20", "--json").stdout)
    same = simulate(school, "--until", "20", "--json", "--expect", saved)
    assert same.returncode == 0 and json.loads(same.stdout) == {"file": str(saved), "same": True, "difference": []}
    other = simulate(school, "--until", "20", "--json", "--expect", saved, "--answers", "police:acknowledge@10")
    answer = json.loads(other.stdout)
    assert other.returncode == 1 and other.stderr == "" and answer["same"] is False
    assert any(re.match(r'- +"state_at_end": "open"', line) for line in answer["difference"])
    assert any(re.match(r'\+ +"state_at_end": "acknowledged"', line) for line in answer["difference"])
    text = simulate(school, "--until", "20", "--json", "--expect", GOLDEN / "nobody.txt")
    assert text.returncode == 1 and json.loads(text.stdout)["same"] is False


def test_the_timeline_as_json_has_the_same_moments(school):
    answer = json.loads(simulate(school, "--until", "400", "--json").stdout)
    told = [(line["after_ms"], line["endpoint"]) for line in answer["timeline"] if line["what"] == "told"]
    assert told[:5] == [(0, "police"), (0, "bureau"), (30000, "police"), (30000, "bureau"), (30000, "guard")]
    assert (90000, "duty") in told and (30000, "duty") not in told
    assert answer["state_at_end"] == "open" and answer["plan"] == "school"


@pytest.mark.parametrize("words", [["--answers", "police"], ["--answers", "police:sing@3"], ["--answers", "police:coming@-1"],
                                   ["--answers", "nobody:coming@1"], ["--answers", "admin:acknowledge@1"],
                                   ["--press-again", "soon"], ["--press-again", "5:flood"], ["--press-again", "5:fire:attic"],
                                   ["--press-again", ",".join(map(str, range(100)))], ["--kind", "flood"], ["--until", "0"]])
def test_a_simulation_nobody_can_mean_is_refused(school, words):
    done = simulate(school, *words)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("tocsin: ")


def test_unknown_places_are_named_with_those_there_are(school):
    done = run("simulate", "--config", "tocsin.yaml", "--site", "school-2", "--device", "room-204", folder=school)
    assert done.returncode == 2 and "school-1" in done.stderr
    done = run("simulate", "--config", "tocsin.yaml", "--site", "school-1", "--device", "attic", folder=school)
    assert done.returncode == 2 and "room-204, smoke, gate" in done.stderr


def test_a_cancel_alone_opens_nothing(school):
    done = simulate(school, "--kind", "cancel")
    assert done.returncode == 0 and "told:" not in done.stdout and "there is no alarm to cancel" in done.stdout


def test_a_disabled_device_opens_nothing(school):
    text = (school / "tocsin.yaml").read_text()
    (school / "lost.yaml").write_text(text.replace("zone: \"204\"}", "zone: \"204\", disabled: true}"))
    words = ["simulate", "--config", "lost.yaml", "--site", "school-1", "--device", "room-204", "--answers", "police:acknowledge@10"]
    for kind in "panic", "cancel":
        done = run(*words, "--kind", kind, folder=school)
        assert done.returncode == 0 and "told:" not in done.stdout, done.stdout
        assert "not taken for an alarm" in done.stdout and "this device is disabled" in done.stdout
        assert "no alarm: a press of a disabled device is refused and opens none" in done.stdout
    answer = json.loads(run(*words, "--json", folder=school).stdout)
    assert answer["state_at_end"] == "none" and answer["timeline"][0]["what"] == "press_refused"
    other = run(*words, "--press-again", "5:panic:gate", folder=school).stdout
    assert "+5.000 s  told: Police Desk" in other and "end of the simulation" in other


# ---- completion and manual

def complete(*words):
    script = ('source <("$0" --print-completion); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tocsin; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, str(TOCSIN), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_completion_knows_commands_options_and_words():
    assert complete("tocsin", "al") == ["alarms"]
    assert complete("tocsin", "journal", "") == ["verify", "export", "prove", "erase-note"]
    assert complete("tocsin", "keygen", "t") == ["token"]
    assert complete("tocsin", "close", "--disposition", "a") == ["accidental"]
    assert complete("tocsin", "show", "--ur") == ["--url"]
    assert "--note" in complete("tocsin", "ack", "--")
    assert complete("tocsin", "keygen", "device", "--ur") == []
    assert complete("tocsin", "check-config", str(GOLDEN / "tocsin.y")) == [str(GOLDEN / "tocsin.yaml")]


def test_completion_knows_options_before_the_command():
    assert complete("tocsin", "--json", "sh") == ["show"]
    assert complete("tocsin", "--lang", "") == ["en", "zh-CN"]
    assert complete("tocsin", "--lang", "en", "--utc", "journal", "v") == ["verify"]
    assert complete("tocsin", "--url", "http", ":", "//127.0.0.1", ":", "8080", "ack", "--no") == ["--note"]
    assert complete("tocsin", "--url", "=", "http", ":", "//127.0.0.1", "-j", "keygen", "device", "--dev") == ["--device"]
    assert complete("tocsin", "--token-file", str(GOLDEN / "tocsin.y")) == [str(GOLDEN / "tocsin.yaml")]
    assert complete("tocsin", "--url", "sh") == []


def test_the_manual_names_every_command_and_option():
    source = run("--print-manual").stdout
    text = source.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "")
    for command in COMMANDS:
        assert f".SS tocsin {command} " in text
        for option in re.findall(r"^  (?:-\w)? +--([\w-]+)", run(*command.split(), "--help").stdout, re.M):
            assert f"--{option}" in text, f"{command}: --{option}"


@pytest.mark.parametrize("program,page", [("clients/button/tocsin-button", "clients/button/tocsin-button.1"),
                                          ("daemon/tocsind", "daemon/tocsind.8")])
def test_help_and_manual_name_the_same_options(program, page):
    shown = subprocess.run([TOCSIN.parents[2] / program, "--help"], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0
    source = (ROOT / page).read_text().replace("\\-", "-")
    assert set(re.findall(r"--[a-z][a-z-]+", shown.stdout)) == set(re.findall(r"--[a-z][a-z-]+", source))
    codes = re.search(r"Exit codes: (.*)", shown.stdout, re.S)
    documented = re.search(r"\.SH EXIT STATUS\n(.*?)\n\.SH", source, re.S).group(1)
    for code in re.findall(r"\b\d\b", codes.group(1)) if codes else "012":
        assert re.search(rf"\b{code}\b", documented), f"exit code {code}"


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_the_manual_is_good_roff():
    page = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-"], input=run("--print-manual").stdout, capture_output=True,
                          text=True, timeout=60, env={**os.environ, "MANWIDTH": "160", "MANPAGER": "cat"})
    assert page.returncode == 0 and page.stderr == "" and "EXIT STATUS" in page.stdout
