"""Whether a command of a document could be called: egonorm's own parser takes it; make and the repository know what it names."""

import contextlib
import io
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from functools import cache

import tyro
from blocks import ROOT, variants

from benchmarks.__main__ import Command as Benchmarks
from benchmarks.gpu import Command as GpuBenchmarks
from egonorm import cli

WORDS = {"METHOD": "rna", "S": "0", "M": "2", "$SLURM_ARRAY_TASK_ID/8": "1/8"}
"""What a parser wants to see as it is, for what stands for it."""
REST = {
    "data check": ("D", ""),
    "data kitchens": ("K", ""),
    "data pack": ("D", "--out O"),
    "extract": ("RUN", "--data D --out O"),
    "test": ("RUN", ""),
    "bench": ("paper.all", "--data D"),
    "table": ("RUNS", ""),
    "report": ("RUNS", ""),
    "cam": ("RUN", "--clip UID"),
    "weights get": ("NAME", ""),
}
"""What a verb must be given, arguments and options, for sentences that name it without."""
MODULES = {"benchmarks": Benchmarks, "benchmarks.gpu": GpuBenchmarks}


def parse(command: str, whole: bool = True) -> None:
    """Take a command apart, once for each of its choices, and do nothing.

    Args:
        command: A line of a shell, or a synopsis.
        whole: Whether it can be called as it stands; else what it must be given may be missing.

    Raises:
        ValueError: what is wrong with it.
    """
    for words in [shlex.split(command)] if command.startswith("pip ") else variants(command):
        fault = _fault_of([WORDS.get(word, word) for word in words], whole)
        if fault:
            raise ValueError(f"{command}\n{fault}")


def _fault_of(words: list[str], whole: bool) -> str | None:
    program, *rest = words
    if (program == "torchrun" or program.endswith("python")) and "-m" in rest:
        program, *rest = rest[rest.index("-m") + 1 :]
    if program == "egonorm":
        return _fault_of_egonorm(rest, whole)
    if program in MODULES:
        return refused(lambda: tyro.cli(MODULES[program], args=rest))
    if program == "make":
        return _fault_of_make(rest)
    if program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        wrong = set(re.findall(r"\[(\w+)\]", " ".join(rest))) - set(extras)
        return f"There are the extras {', '.join(extras)}." if wrong else None
    if program.endswith("python") and rest:
        return None if (ROOT / rest[0]).is_file() else f"There is no file {rest[0]}."
    return f"No test knows {program!r}: teach tests/documents/parsing.py how it is called."


def _fault_of_egonorm(words: list[str], whole: bool) -> str | None:
    verb = next((verb for verb in REST if words[: len(verb.split())] == verb.split()), None)
    attempts = [words]
    if verb and not whole:
        arguments, options = (part.split() for part in REST[verb])
        attempts += [words + options, words + arguments + options]
    faults = [_refused_by_egonorm(tuple(attempt)) for attempt in attempts if attempt or whole]
    return faults[0] if faults and all(faults) else None


@cache
def _refused_by_egonorm(words: tuple[str, ...]) -> str | None:
    return refused(lambda: cli.parse_command(list(words)))


def _fault_of_make(words: list[str]) -> str | None:
    """What it would do is asked of make itself; what it hands to the benchmarks they take apart."""
    done = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    peers = [word.removeprefix("PEERS=").split() for word in words if word.startswith("PEERS=")]
    faults = [refused(lambda given=given: tyro.cli(Benchmarks, args=given)) for given in peers]
    return done.stderr if done.returncode else next(filter(None, faults), None)


def refused(parsing: Callable[[], object]) -> str | None:
    """What a parser says when it takes none of the words; None when it does, or shows its help."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            parsing()
        except SystemExit as end:
            return said.getvalue() if end.code else None
    return None


@cache
def options() -> frozenset[str]:
    """Every option of egonorm and of the benchmarks, as a shell would complete them."""
    said, words = io.StringIO(), ["--tyro-print-completion", "bash"]
    for parsing in (
        cli.parse_command,
        *(lambda args, command=command: tyro.cli(command, args=args) for command in MODULES.values()),
    ):
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            parsing(words)
    return frozenset(re.findall(r"--[a-z][\w-]*", said.getvalue()))
