"""The demo, as a newcomer runs it: every stage really happens on the example school and its accounts."""
import json
import os
import signal
import subprocess
import sys

from house import BUILD, ROOT


def test_the_story_is_told_to_its_end():
    done = subprocess.run([sys.executable, ROOT / "deploy" / "demo_story.py", "--once"], capture_output=True, text=True,
                          env={**os.environ, "TOCSIN_BUILD": str(BUILD.resolve())}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["verified"] is True


def test_an_impatient_newcomer_leaves_nothing_behind(tmp_path):
    demo = subprocess.Popen([sys.executable, ROOT / "deploy" / "demo_story.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "TOCSIN_BUILD": str(BUILD.resolve()), "TMPDIR": str(tmp_path)}, start_new_session=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a shell's background job ignores it
    for line in demo.stdout:
        if line.startswith("Where to go on"):
            break
    os.kill(demo.pid, signal.SIGINT)
    assert demo.stdout.readline() == "\n"
    os.killpg(demo.pid, signal.SIGINT)  # again, and all of it, as a terminal does
    _, said = demo.communicate(timeout=60)
    assert (demo.returncode, said, list(tmp_path.iterdir())) == (0, "", [])
