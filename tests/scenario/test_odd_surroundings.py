"""The process in surroundings that nobody wished for: no descriptors, no environment, a log that nobody reads, a clock that
jumps, a machine that has been up for 49 days, a supervisor that watches."""
import contextlib
import ctypes
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from house import BUILD, IS_SANITIZED, PATIENCE_S, loopback

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
YEAR_S = 365 * 86400


def started_by(house, tmp_path, script):
    """The house's daemon is started by this script from now on; {tocsind} stands for the real one."""
    program = tmp_path / "wrapped" / "daemon" / "tocsind"
    program.parent.mkdir(parents=True)
    program.write_text(script.replace("{tocsind}", str(BUILD.resolve() / "daemon" / "tocsind")))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    house.daemon.build = program.parents[1]


def does_its_work(house, **fields):
    press = house.button().press(**fields)
    press.receipt("recorded")
    for endpoint in (house.police, house.bureau):
        endpoint.told("alarm.opened", press)
    return press


def test_without_environment_descriptors_and_folder(make_house, tmp_path):
    """Descriptors 0 to 2 are closed, so that a careless program would write its log into the journal."""
    house = make_house(start=False)
    gone = tmp_path / "gone"
    gone.mkdir()
    started_by(house, tmp_path, f"""#!/bin/sh
cd {gone} && rmdir {gone}
exec env -i http_proxy=http://127.0.0.1:9 all_proxy=http://127.0.0.1:9 LANG=xx_XX.nonsense TZ=:nowhere MALLOC_ARENA_MAX=x \\
    "{{tocsind}}" "$@" <&- >&- 2>&-
""")
    house.start()
    does_its_work(house)
    house.daemon.kill()
    house.restart()


def test_a_log_that_nobody_reads_stops_nothing(make_house, tmp_path):
    house = make_house(start=False)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    stuck = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(stuck, b"x" * 4096)
    started_by(house, tmp_path, f'#!/bin/sh\nexec "{{tocsind}}" "$@" 2>"{pipe}"\n')
    house.start()
    press = does_its_work(house)
    heard = []

    def read():
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(os.read(stuck, 65536))
        return b"".join(heard)
    read()
    house.close_alarm(press)
    house.button().press().receipt("recorded")
    house.wait_for(lambda: b"lines of the log were dropped" in read(), "the gap is named")
    os.close(stuck)


def test_an_address_that_another_program_has_costs_the_desk_and_no_alarm(make_house):
    port = loopback.free_port()
    house = make_house(start=False, adjust=lambda configuration: configuration["daemon"].update(http_listen=f"127.0.0.1:{port}"))
    house.broker.start()
    house.write_configuration()
    with socket.create_server(("127.0.0.1", port)):
        house.daemon.launch()
        room = house.button()
        press = room.press()
        house.wait_for(lambda: room.again(press) or press.receipts("recorded"), "it is recorded")
        house.police.told("alarm.opened", press)
        house.wait_for(lambda: "no desk and no tool can be served" in house.daemon.log(), "it says so")
        house.daemon.signal(signal.SIGHUP)
        house.wait_for(lambda: "the configuration was reloaded" in house.daemon.log(), "it reloads all the same")
        house.stop()
        house.daemon.launch()
        house.wait_for(lambda: house.daemon.log().count("4 devices") > 1, "it runs again")
    house.daemon.wait_until_it_answers()
    house.feed_follow()
    house.no_trouble("conf", "http_listen")
    house.feed.wait("trouble_cleared", code="conf", part="http_listen")
    assert house.alarm(press)["state"] == "open"


class Supervisor:
    """What the service manager hears (sd_notify(3))."""

    def __init__(self, path):
        self.heard, self.path = [], path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while words := self.socket.recv(4096).decode():
            self.heard.append(words)

    def count(self, word):
        return sum(words.startswith(word) for words in self.heard)


def test_the_supervisor_hears_that_the_loop_turns(make_house, tmp_path):
    supervisor = Supervisor(tmp_path / "notify")
    house = make_house(environment={"NOTIFY_SOCKET": str(supervisor.path), "WATCHDOG_USEC": "400000"})
    house.wait_for(lambda: supervisor.count("READY=1") and supervisor.count("WATCHDOG=1") > 2, "it is ready and alive")
    with house.inject("fdatasync,fsync,pwrite64:delay_enter=3000000"):  # a disk that hangs is no reason to be killed
        house.button().press()
        alive = supervisor.count("WATCHDOG=1")
        house.wait_for(lambda: supervisor.count("WATCHDOG=1") > alive + 5, "it is alive", 2.5)
    with house.inject("epoll_wait,epoll_pwait:delay_enter=2000000"):  # a loop that hangs is one
        house.wait_for(lambda: is_quiet(supervisor, 1), "the supervisor hears nothing")
    alive = supervisor.count("WATCHDOG=1")
    house.wait_for(lambda: supervisor.count("WATCHDOG=1") > alive, "it is alive again")
    house.daemon.signal(signal.SIGHUP)
    house.wait_for(lambda: supervisor.count("RELOADING=1") and supervisor.count("READY=1") > 1, "it reloads")
    house.stop()
    assert supervisor.count("STOPPING=1") == 1
    house.restart()


def is_quiet(supervisor, for_s):
    before = supervisor.count("WATCHDOG=1")
    end = time.monotonic() + for_s
    while time.monotonic() < end and supervisor.count("WATCHDOG=1") == before:
        time.sleep(0.02)
    return supervisor.count("WATCHDOG=1") == before


# ---- clocks

def slower(configuration):
    for step in configuration["plans"][0]["steps"]:
        step["answer_timeout_s"] = 3


@pytest.fixture
def clock_house(make_house, tmp_path):
    """A house, and a function that sets its daemon's wall clock (seconds from the right time, or "@…")."""
    clock = tmp_path / "clock"

    def set_clock(words):
        clock.write_text(f"{words}\n" if isinstance(words, str) else f"{words:+d}\n")
    set_clock(0)
    house = make_house(adjust=slower, environment={
        "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"})
    house.clock_is_wrong = True
    return house, set_clock


def is_due_when_it_was_due(house, press, opened):
    told = house.guard.told("alarm.opened", press)
    assert 2000 <= told.at_ms - opened.at_ms <= 4000, "the wall clock decided"
    assert len(house.wait_for(lambda: house.journal("deadline_passed"), "the deadline is recorded")) == 1


def test_a_clock_that_jumps_by_decades_moves_no_deadline(clock_house):
    house, set_clock = clock_house
    press = house.button().press()
    opened = house.police.told("alarm.opened", press)
    for step_s in (30 * YEAR_S, -10 * YEAR_S, -3600, 60 * YEAR_S):  # 2056, 2016, an hour ago, 2086
        set_clock(step_s)
        house.never(lambda: house.guard.of(press), "the guard is told", 0.4)
    is_due_when_it_was_due(house, press, opened)
    clocks = [line["clock"] for line in house.journal()]
    assert clocks == sorted(clocks)


@pytest.mark.parametrize("step_s", [3600, -10 * YEAR_S])
def test_a_clock_that_was_set_while_it_was_down_moves_no_deadline(clock_house, step_s):
    house, set_clock = clock_house
    press = house.button().press()
    opened = house.police.told("alarm.opened", press)
    press.receipt("recorded")
    house.daemon.kill()
    set_clock(step_s)
    house.restart()
    is_due_when_it_was_due(house, press, opened)


def test_started_in_1970_it_does_its_work_and_goes_on_when_the_clock_is_right(clock_house):
    house, set_clock = clock_house
    house.stop()
    set_clock("@1970-01-01 00:00:30")
    house.restart()
    before = does_its_work(house)
    set_clock(0)
    after = does_its_work(house, kind="fire")
    lines = {line["alarm"]: line["at"] for line in house.journal("press_received")}
    assert lines[before.alarm_id].startswith("1970-01-01") and not lines[after.alarm_id].startswith("1970")


TIME_NAMESPACE = """#!{python}
# In a time namespace in which this machine has been up for {up_s} s. Signals to us are signals to the daemon.
import ctypes, os, signal, sys, time
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x80):
    sys.exit(os.strerror(ctypes.get_errno()))
with open("/proc/self/timens_offsets", "w") as offsets:
    for name, clock in (("monotonic", time.CLOCK_MONOTONIC), ("boottime", time.CLOCK_BOOTTIME)):
        offsets.write(f"{name} {{int({up_s} - time.clock_gettime(clock))}} 0\\n")
        offsets.flush()
child = os.fork()
if child == 0:
    os.execv("{tocsind}", ["{tocsind}", *sys.argv[1:]])
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _frame: os.kill(child, number))
libc.prctl(1, 0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def time_namespaces_are_there():
    child = os.fork()
    if child == 0:
        os._exit(1 if ctypes.CDLL(None).unshare(0x80) else 0)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not time_namespaces_are_there(), reason="a time namespace needs root and a kernel that has it")
@pytest.mark.parametrize("turn_ms", [2**32, 2**32 * 10], ids=["49 days", "497 days"])
def test_up_for_so_long_that_a_counter_of_32_bits_turns_over(make_house, tmp_path, turn_ms):
    house = make_house(adjust=slower, start=False)
    started_by(house, tmp_path, TIME_NAMESPACE.replace("{python}", sys.executable).replace("{up_s}", str(turn_ms // 1000 - 3))
               .replace("{{", "{").replace("}}", "}"))
    house.start()
    press = does_its_work(house)
    opened = house.police.of(press)[0]
    is_due_when_it_was_due(house, press, opened)
    house.police.told("alarm.escalated", press)


# ---- resources

def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def processor_s(pid):
    with open(f"/proc/{pid}/stat") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_alarms_go_on(house):
    """Visitors take every descriptor that is left; what the alarm needs it has already."""
    import resource
    pid = house.daemon.pid
    house.police.down()  # its connection has to be made anew meanwhile
    house.trouble("endpoint", "police")
    limit = descriptors(pid) + 12
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
    visitors = [socket.create_connection(("127.0.0.1", int(house.daemon.url.rsplit(":", 1)[1]))) for _ in range(40)]
    try:
        house.wait_for(lambda: descriptors(pid) >= limit - 1, "all descriptors are taken")
        press = house.button().press()
        house.bureau.told("alarm.opened", press)
        press.receipt("recorded")
        used = processor_s(pid)
        house.never(lambda: not house.daemon.alive(), "it dies", 1.5)
        assert IS_SANITIZED or processor_s(pid) - used < 1, "it spins on what it cannot accept"
    finally:
        for visitor in visitors:
            visitor.close()
    house.police.up()
    house.police.told("alarm.opened", press, timeout_s=2 * PATIENCE_S)
    house.no_trouble("endpoint", "police")


def test_a_crash_loses_nothing_and_leaves_no_memory_behind(house):
    """A core would hold names, keys and notes."""
    press = does_its_work(house)
    with open(f"/proc/{house.daemon.pid}/limits", encoding="utf-8") as limits:
        core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"], core
    os.kill(house.daemon.pid, signal.SIGSEGV)
    house.daemon.kill()
    house.restart()
    assert house.alarm(press)["state"] == "open"
    house.button().again(press)
    assert press.receipt("recorded")["alarm"] == press.alarm_id
    assert len(house.all_alarms()) == 1


WITHOUT_GETRANDOM = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getrandom", "-e", "inject=getrandom:error=ENOSYS"]


def test_an_old_system_without_getrandom_has_random_numbers_all_the_same(make_house, tmp_path):
    house = make_house(start=False)
    started_by(house, tmp_path, f"""#!/bin/sh
exec {" ".join(WITHOUT_GETRANDOM)} "{{tocsind}}" "$@"
""")
    house.start()
    does_its_work(house)
    house.daemon.kill()


def test_without_any_random_numbers_it_ends_with_a_sentence(tmp_path):
    """No key, id or salt may ever be guessed. The first that opens a source of them is the TLS library, before main()."""
    def run(*injections):
        with open(trace, "w", encoding="utf-8"):
            pass
        words = ["strace", "-qq", "-o", str(trace), "-e", "trace=getrandom,openat", "-e", "inject=getrandom:error=ENOSYS"]
        return subprocess.run([*words, *injections, BUILD / "daemon" / "tocsind", "--config", "/nonexistent"], check=False,
                              capture_output=True, text=True, timeout=PATIENCE_S)
    trace = tmp_path / "trace"
    assert "/nonexistent: cannot be read" in run().stderr
    opened = [line for line in trace.read_text().splitlines() if line.startswith("openat(")]
    sources = [number for number, line in enumerate(opened, 1) if '"/dev/' in line and "random" in line]
    ended = run("-e", f"inject=openat:error=ENOENT:when={sources[1]}+")
    assert ended.returncode != 0
    assert "random numbers of this system" in ended.stderr
    assert "/nonexistent" not in ended.stderr
