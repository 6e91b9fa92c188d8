"""An extraction that kills itself with SIGKILL at a chosen moment, as a power cut would."""

import os
import signal
import sys
from pathlib import Path

from egonorm.cli import main
from egonorm.features import extract


def small_parts() -> None:
    """Parts of 8 clips, so that there are several."""
    extract.CLIPS = 8


def die() -> None:
    """Leave without any chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(name: str, half: bool) -> None:
    """The kill, before a file of this name appears; with half of it in its temporary file, or whole."""
    opened, renamed = Path.open, Path.replace

    def open_then_die(self, mode="r", **options):
        if half and self.name.startswith(f".{name}.") and self.name.endswith(".partial"):
            with opened(self, mode, **options) as file:
                file.write(b"half")
                file.flush()
                die()
        return opened(self, mode, **options)

    def replace_then_die(self, target):
        return die() if Path(target).name == name else renamed(self, target)

    Path.open, Path.replace = open_then_die, replace_then_die


if __name__ == "__main__":
    small_parts()
    die_at(sys.argv[1], sys.argv[2] == "half")
    main(sys.argv[3:])
