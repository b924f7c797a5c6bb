"""The demo, as a newcomer runs it: every stage really happens on the example school and its accounts."""
import json
import os
import subprocess
import sys

from house import BUILD, ROOT


def test_the_story_is_told_to_its_end():
    done = subprocess.run([sys.executable, ROOT / "deploy" / "demo_story.py", "--once"], capture_output=True, text=True,
                          env={**os.environ, "TOCSIN_BUILD": str(BUILD.resolve())}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["verified"] is True
