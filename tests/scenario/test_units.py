"""The units for systemd, as far as its own tools judge them without a running one."""
import shutil
import subprocess

from house import ROOT

DEPLOY = ROOT / "deploy"
NOT_INSTALLED_HERE = "tocsind.service: Command "  # its program, its manual pages


def analyze(*words):
    outcome = subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True)
    return outcome.returncode, outcome.stdout + outcome.stderr


def test_the_daemon_is_closed_in():
    code, text = analyze("security", "--offline=true", "--threshold=15", DEPLOY / "tocsind.service")
    assert code == 0, text


def test_the_units_say_what_systemd_understands(tmp_path):
    """A key that it does not know it ignores, with a line in a log that nobody reads."""
    shutil.copy("/lib/systemd/system/mosquitto.service", tmp_path)
    (tmp_path / "mosquitto.service.d").mkdir()
    shutil.copy(DEPLOY / "mosquitto" / "service.conf", tmp_path / "mosquitto.service.d" / "tocsin.conf")
    _, text = analyze("verify", tmp_path / "mosquitto.service", DEPLOY / "tocsind.service")
    assert [line for line in text.splitlines() if not line.startswith(NOT_INSTALLED_HERE)] == []
