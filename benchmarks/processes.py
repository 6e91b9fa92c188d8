"""Programs of this folder that run in a process of their own and say a JSON object."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def told_by(words: Sequence[object], **environment: str) -> dict[str, float]:
    """The last line that `python WORDS...` prints, as JSON."""
    command = [sys.executable, *map(str, words)]
    found = subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True, capture_output=True, text=True)
    return json.loads(found.stdout.splitlines()[-1])


def call(program: str, *words: str) -> tuple[int, str]:
    """Run a program of this environment to its end: its exit status, and what it said on standard error."""
    path = Path(sys.executable).with_name(program)
    done = subprocess.run([str(path), *words], cwd=ROOT, check=False, capture_output=True, text=True)
    return done.returncode, done.stderr
