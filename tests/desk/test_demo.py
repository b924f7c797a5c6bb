"""deploy/demo as a newcomer sees it: it prints an address and an account, and a press is seen there."""
import os
import re
import subprocess
import sys
import threading

from house import BUILD, ROOT

PATIENCE_S = 90


class Demo:
    """deploy/demo without its build; what it has said so far."""

    def __init__(self):
        self.said, self.changed = "", threading.Condition()
        self.process = subprocess.Popen([sys.executable, ROOT / "deploy" / "demo_story.py"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, env={**os.environ, "TOCSIN_BUILD": str(BUILD)})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.said += line
                self.changed.notify_all()

    def says(self, pattern):
        with self.changed:
            assert self.changed.wait_for(lambda: re.search(pattern, self.said), PATIENCE_S), self.said
        return re.search(pattern, self.said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def test_its_account_sees_a_press(officer, screen):
    with Demo() as demo:
        url, account, password = demo.says(r"The desk: (\S+)/ +account (\S+) +password (\S+)\n").groups()
        officer.open(url)
        officer.sign_in(account, password)
        officer.sees(".alarm .when, .quiet")  # the story's own alarm, or it was closed by now
        command = demo.says(r"what happens, as it happens\n +(\S.*)\n").group(1)
        officer.sees(".quiet")
        button = subprocess.Popen(["sh", "-c", "exec " + command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            button.stdin.write(b"press\n")
            button.stdin.flush()
            officer.sees(".alarm.untaken h1", timeout_s=30)
            screen(officer, "70-demo")
            officer.click("[data-do=take]")
            officer.sees(".alarm[data-state=acknowledged] .when", f"taken by {account}")
        finally:
            button.terminate()
            button.wait(20)
