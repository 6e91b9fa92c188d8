"""Programs that tests start."""

import subprocess
import sys


def program(environment: dict[str, str], *words: object) -> str:
    """What a Python program says that must come to its end."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
