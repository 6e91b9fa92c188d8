"""Where a number comes from: how the program was called, and which commit of it ran."""

import shlex
import subprocess
import sys
from pathlib import Path

import egonorm


def called_as() -> str:
    """The command, without the program's folders, as a shell would take it."""
    return shlex.join([_program(), *sys.argv[1:]])


def _program() -> str:
    """What was called, without its folders: `egonorm`, also as `python -m egonorm`."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def find_commit(package: Path = Path(egonorm.__file__).parent) -> str | None:
    """The git commit that a package's folder is of, with `+changes` if a file there differs; None if git does not keep it."""

    def git(*words: str) -> str:
        command = ["git", "--no-optional-locks", "-C", str(package), *words]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=30)
        return done.stdout.strip()

    try:
        # a package that is installed inside another project's checkout is no part of its commit
        git("ls-files", "--error-unmatch", "__init__.py")
        return git("rev-parse", "HEAD") + "+changes" * bool(git("status", "--porcelain", "."))
    except (OSError, subprocess.SubprocessError):
        return None
