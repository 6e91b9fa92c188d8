"""A run's folder on disk: its configuration, its surroundings and commit, its log, and which clips were left out."""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy
import torch

import egonorm
from egonorm.core import RunError
from egonorm.core.files import held, parse_json, refuse_foreign, remove_left, saving, write_atomically
from egonorm.runs.config import CONFIG, Run, read_run, write_run
from egonorm.runs.train_log import LOG, read_lines, step_of

if TYPE_CHECKING:  # a page of runs is made without what trains
    from egonorm.training.runtime import Runtime

ENVIRONMENT = "environment.json"


def refuse_other(folder: Path, run: Run) -> None:
    """Refuse a folder that is not this run's. Nothing is changed.

    Raises:
        RunError: when it belongs to another configuration, or holds something that is no run.
    """
    refuse_foreign(folder, "run", CONFIG)
    if (folder / CONFIG).exists() and read_run(folder) != run:
        raise RunError(
            f"{folder} belongs to another configuration.",
            got="a different config.json",
            expected="the configuration of this command",
            remedy="Give another folder to --out.",
        )


@contextmanager
def claim(folder: Path, run: Run) -> Iterator[None]:
    """Make the run's folder, and keep others from training in it at the same time; a kill gives it free.

    Raises:
        RunError: when another process is at it, or when it cannot be written.
    """
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    taken = lambda: RunError(  # noqa: E731
        f"{folder} is being trained by another process.",
        got="a locked folder",
        expected="one process, or those of one torchrun",
        remedy="Wait until it ends; the same command then shows its results.",
    )
    with held(lock, False, taken):
        remove_left(folder, *(path for path in folder.iterdir() if path.is_dir()))
        if not (folder / CONFIG).exists():
            write_run(folder, run)
        yield


def note_start(folder: Path, runtime: "Runtime", step: int, **further: str) -> None:
    """Add to `environment.json` that training starts or goes on here after a step; the log keeps what came before it."""
    path = folder / ENVIRONMENT
    starts = read_starts(folder)
    if step == 0 and any("trained_by" in start for start in starts):  # the training that was taken over is not used
        starts = []
    starts.append({"after_step": step} | further | environment(runtime))
    write_atomically(path, (json.dumps(starts, indent=2) + "\n").encode())
    cut_log(folder, step)


def read_starts(folder: Path) -> list[dict[str, Any]]:
    """What is known of the starts of a run's training; none where the file is gone or damaged: it tells history and no more."""
    try:
        starts = parse_json((folder / ENVIRONMENT).read_text())
    except (OSError, ValueError):
        return []
    return [start for start in starts if isinstance(start, dict)] if isinstance(starts, list) else []


def environment(runtime: "Runtime") -> dict[str, object]:
    """What a number may depend on beside the configuration."""
    gpu = torch.cuda.get_device_name(runtime.device) if runtime.device.type == "cuda" else None
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": called_as(),
        "egonorm": egonorm.__version__,
        "commit": find_commit(),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "av": av.__version__,
        "platform": platform.platform(),
        "device": gpu or str(runtime.device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": runtime.num_ranks,
    }


def cut_log(folder: Path, step: int) -> None:
    """Remove what the log says of steps after `step`, and a line that a kill left unfinished."""
    path = folder / LOG
    if not path.exists():
        return
    kept = [line for line in read_lines(folder) if (number := step_of(line)) is not None and number <= step]
    write_atomically(path, "".join(f"{line}\n" for line in kept).encode())


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
