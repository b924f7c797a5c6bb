"""Programs that run in one process, and how each is judged when an allocation of it fails.

A program is run once to count its allocations and to see what it says; then once for each k. Allowed: it says the same as
ever and ends with 0, or it ends with something else and a sentence that speaks of memory. It may also abort with a
sentence ("a daemon without memory restarts and resumes"); what it had said until then stands, and what it was to make is
there whole or not at all.
"""
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_S = 60
FRAMES, FRAME_BYTES, OBJECT_BYTES = 24, 104, 96
SIGNS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "ThreadSanitizer")
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:verify_asan_link_order=0", "UBSAN_OPTIONS": "print_stacktrace=1",
                     "LSAN_OPTIONS": f"suppressions={Path(__file__).resolve().parent / 'leaks.supp'}:print_suppressions=0"}
SIGABRT = 6
SENTENCES = ("Assertion `", "no memory is left", "Unexpected error.")  # the last: an assertion of glibc that lacks memory itself
KINDS = {"crash": "ended by a signal without a sentence", "hang": "never ended", "finding": "a sanitizer or the leak report",
         "wrong": "said yes, and something else than it says with memory", "excuse": "said no, and another reason",
         "half": "said no, and left something half done", "broken": "does not even work with memory"}

CONFIGURATION = """\
daemon: {name: tocsin.test, state_dir: ., journal_key_file: journal.key, http_listen: '127.0.0.1:0'}
broker: {address: 127.0.0.1, port: 1883, client_id: tocsin}
endpoints:
  - {id: police, name: P, role: police, urls: ['http://127.0.0.1:9/p'], tests: true, secret_file: hook.secret}
  - {id: bureau, name: B, role: bureau, urls: ['http://127.0.0.1:9/b'], troubles: true, secret_file: hook.secret}
plans:
  - id: default
    steps: [{answer_timeout_s: 30, endpoints: [police, bureau]}]
    acks_needed: [police]
accounts:
  - {id: desk, name: Desk, role: police, token_hashes:
     ['sha256:0000000000000000000000000000000000000000000000000000000000000001']}
"""
SITE = """\
sites:
  - id: school
    name: 实验小学
    address: 1 Example Road
    plan: default
    zones: [{id: '101', name: Room 101}]
    contacts: [{name: duty teacher, phone: '+86 21 0000 0000'}]
    keys_file: ../school.keys
    devices: [{id: room, zone: '101', silent_after_s: 0}, {id: gate, silent_after_s: 20}, {id: signed, silent_after_s: 0}]
"""
BAD = SITE.replace("plan: default", "plan: nowhere").replace("silent_after_s: 20", "silent_after_s: often")


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple  # words; "{}" is the folder, {tocsin} and {story} the programs
    makes: tuple = ()  # what it leaves in the folder: whole or not at all
    good: int = 0  # how it ends when nothing fails
    is_random: bool = False  # its output is new each time
    needs: tuple = ("conf", "journal")


PROGRAMS = [
    Program("story", ("{story}", "{}"), needs=("conf",)),
    Program("check-config", ("{tocsin}", "check-config", "{}/tocsin.yaml"), needs=("conf",)),
    Program("check-config-bad", ("{tocsin}", "check-config", "{}/bad.yaml"), needs=("conf",), good=1),
    Program("simulate", ("{tocsin}", "simulate", "--config", "{}/tocsin.yaml", "--site", "school", "--device", "room",
                         "--answers", "police:acknowledge@10", "--until", "100"), needs=("conf",)),
    Program("verify", ("{tocsin}", "journal", "verify", "{}/journal.db", "--key", "{}/journal.key.pub")),
    Program("verify-export", ("{tocsin}", "journal", "verify", "{}/export"), needs=("export",)),
    Program("export", ("{tocsin}", "journal", "export", "{}/out", "--journal", "{}/journal.db", "--key",
                       "{}/journal.key.pub"), makes=("out",)),
    Program("prove", ("{tocsin}", "journal", "prove", "3", "--journal", "{}/journal.db")),
    Program("erase-note", ("{tocsin}", "journal", "erase-note", "7", "--journal", "{}/journal.db")),
    Program("keygen-journal", ("{tocsin}", "keygen", "journal", "{}/new", "--name", "tocsin.test"), makes=("new", "new.pub"),
            needs=(), is_random=True),
    Program("keygen-webhook", ("{tocsin}", "keygen", "webhook", "{}/new"), makes=("new",), needs=(), is_random=True),
    Program("keygen-token", ("{tocsin}", "keygen", "token", "{}/new"), makes=("new",), needs=(), is_random=True),
]


@dataclass
class Outcome:
    status: int = 0
    out: str = ""
    err: str = ""
    made: dict = field(default_factory=dict)
    allocations: int = 0
    failed: int = 0
    callers: list = field(default_factory=list)
    hung: bool = False


def is_sanitized(build):
    return b"address" in (Path(build) / "meson-private" / "cmd_line.txt").read_bytes()


def read_account(file):
    """allocations, failed, [(object, offset)…] of the first that failed: struct account of kth.c."""
    data = Path(file).read_bytes()
    allocations, failed = struct.unpack_from("<QQ", data)
    callers = []
    for i in range(FRAMES):
        at = 16 + i * FRAME_BYTES
        name = data[at:at + OBJECT_BYTES].split(b"\0")[0].decode()
        if name:
            callers.append((name, struct.unpack_from("<Q", data, at + OBJECT_BYTES)[0]))
    return allocations, failed, callers


def name_callers(callers, limit=12):
    """Who asked for the memory, the innermost first: "function file:line"; libraries by name."""
    names = []
    for name, offset in callers[:limit]:
        if ".so" in Path(name).name:
            names.append(Path(name).name)
            continue
        said = subprocess.run(["addr2line", "-fsie", name, hex(offset)], capture_output=True, text=True).stdout.split("\n")
        names += [f"{function} {line}" for function, line in zip(said[0::2], said[1::2])]
    return [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]]


def is_orderly(said, callers):
    """An abort with a sentence; libuv aborts by itself, and has none."""
    return any(sentence in said for sentence in SENTENCES) or any("libuv.so" in name for name, _ in callers)


def wait_patiently(process):
    """Its output, and whether it had to be killed. Counts turns, not time: whoever is stopped for minutes has lost none."""
    for _ in range(PATIENCE_S):
        try:
            return process.communicate(timeout=1), False
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    return process.communicate(), True


class Bench:
    """Runs programs in folders of its own."""

    def __init__(self, build, folder):
        self.build, self.folder = Path(build), Path(folder)
        self.kth = self.build / "tests" / "torture" / "libkth.so"
        self.words = {"tocsin": str(self.build / "clients" / "cli" / "tocsin"),
                      "story": str(self.build / "tests" / "torture" / "story")}
        self.pattern = self.folder / "pattern"
        self._make_pattern()

    def _tool(self, *words):
        subprocess.run([word.format(self.pattern, **self.words) for word in words], check=True, stdout=subprocess.DEVNULL)

    def _make_pattern(self):
        """What the programs work on, made by themselves."""
        (self.pattern / "sites.d").mkdir(parents=True)
        (self.pattern / "tocsin.yaml").write_text(CONFIGURATION)
        (self.pattern / "bad.yaml").write_text(CONFIGURATION + BAD)
        (self.pattern / "sites.d" / "school.yaml").write_text(SITE)
        self._tool("{tocsin}", "keygen", "journal", "{}/journal.key", "--name", "tocsin.test")
        self._tool("{tocsin}", "keygen", "webhook", "{}/hook.secret")
        keys = subprocess.run([self.words["tocsin"], "keygen", "device", "--device", "signed"], check=True,
                              capture_output=True, text=True).stdout
        os.close(os.open(self.pattern / "school.keys", os.O_CREAT, 0o600))
        (self.pattern / "school.keys").write_text(keys)
        self._tool("{story}", "{}")
        (self.pattern / "journal.db.ballast").unlink(missing_ok=True)
        self._tool("{tocsin}", "journal", "export", "{}/export", "--journal", "{}/journal.db", "--key", "{}/journal.key.pub")

    def _lay_out(self, program, folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in {"conf": ("tocsin.yaml", "bad.yaml", "sites.d", "journal.key", "journal.key.pub", "hook.secret", "school.keys"),
                     "journal": ("journal.db", "journal.key.pub"), "export": ("export",)}.items():
            if name[0] in program.needs:
                for file in name[1]:
                    copy = shutil.copytree if (self.pattern / file).is_dir() else shutil.copy
                    copy(self.pattern / file, folder / file)

    def run(self, program, k, last, slot):
        """With allocations k to last failing; k 0: none."""
        folder, account = self.folder / f"run-{slot}", self.folder / f"account-{slot}"
        self._lay_out(program, folder)
        account.unlink(missing_ok=True)
        environment = {**os.environ, **SANITIZER_OPTIONS, "LC_ALL": "C", "LD_PRELOAD": str(self.kth),
                       "TOCSIN_KTH": f"{account} {k} {last}"}
        outcome = Outcome()
        process = subprocess.Popen([word.format(folder, **self.words) for word in program.command], env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        said, outcome.hung = wait_patiently(process)
        outcome.status = process.returncode
        outcome.out, outcome.err = (text.decode(errors="replace").replace(str(folder), "{}") for text in said)
        if account.exists():
            outcome.allocations, outcome.failed, outcome.callers = read_account(account)
        for name in program.makes:
            made = folder / name
            if made.is_dir():
                outcome.made[name] = {file.name: file.read_bytes() for file in sorted(made.iterdir())}
            elif made.exists():
                outcome.made[name] = made.read_bytes()
        return outcome

    def judge(self, program, usual, got):
        """None when all is well, else what is wrong."""
        for sign in SIGNS:
            if sign in got.err:
                return "finding", got.err[got.err.index(sign):][:1500]
        if got.hung:
            return "hang", f"did not end within {PATIENCE_S} s"
        if got.status < 0 and not (got.status == -SIGABRT and is_orderly(got.err, got.callers)):
            return "crash", f"signal {-got.status}: {got.err[-500:]}"
        if got.status < 0 and not usual.out.startswith(got.out) and not program.is_random:
            return "wrong", f"said something else before it aborted:\n{got.out[-800:]}"
        speaks = "memory" in got.err.lower() + got.out.lower()
        if got.status == program.good and not self._same(program, usual, got) and not (got.status and speaks):
            return "wrong", f"ended with {got.status} as if all were well, but said:\n{got.out[-600:]}{got.err[-300:]}"
        if got.status > 0 and got.status != program.good and got.out + got.err and not speaks:
            return "excuse", f"ended with {got.status} and another reason: {got.out[-300:]}{got.err[-500:]}"
        if got.status != program.good and not program.is_random:
            for name, content in got.made.items():
                if content != usual.made[name]:
                    return "half", f"ended with {got.status} and left half of {name}"
        return None

    @staticmethod
    def _same(program, usual, got):
        if program.is_random:
            sizes = [{name: len(content) for name, content in one.made.items()} for one in (usual, got)]
            return sizes[0] == sizes[1] and len(usual.out) == len(got.out)
        return (usual.out, usual.err, usual.made) == (got.out, got.err, got.made)
