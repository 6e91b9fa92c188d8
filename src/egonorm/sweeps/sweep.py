"""Many runs, one after the other or side by side: finished ones are skipped, broken ones resumed, failures told at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from egonorm.core import EgonormError, RunError
from egonorm.runs.config import read_run
from egonorm.runs.results import is_complete
from egonorm.runs.run import Options, RunContext, execute
from egonorm.sweeps.launcher import Engine
from egonorm.sweeps.plan import PlannedRun
from egonorm.sweeps.resolve import resolve
from egonorm.training.runtime import start_runtime


@dataclass(frozen=True)
class Outcome:
    """How a sweep has ended."""

    total: int
    skipped: int
    """Runs that were complete before."""
    done: int
    failed: dict[str, str]
    """The error of each run that failed, by its name."""


def run_sweep(
    plan: Sequence[PlannedRun],
    out: Path,
    engine: Engine,
    options: Options,
    device: str,
    tell: Callable[[int, int, int, int, int], None] = lambda *counts: None,
) -> Outcome:
    """Do what is not done yet. A run that fails stops no other, but those that need it.

    Args:
        tell: hears of every change: how many there are, were complete before, are done, running and failed.
    """
    waiting = {number: planned for number, planned in enumerate(plan) if not _is_done(planned, out)}
    skipped, done = len(plan) - len(waiting), 0
    running: dict[int, PlannedRun] = {}
    failed: dict[str, str] = {}
    while waiting or running:
        pending = {planned.run.name for planned in (*waiting.values(), *running.values())}
        ready = [number for number, planned in waiting.items() if pending.isdisjoint(planned.waits_for)]
        for number in ready[: engine.num_slots - len(running)]:
            running[number] = waiting.pop(number)
            engine.start(number, partial(do_run, running[number], out, options, device))
        tell(len(plan), skipped, done, len(running), len(failed))
        number, error = engine.finished()
        name = running.pop(number).run.name
        if error is None:
            done += 1
        else:
            failed[name] = error
    tell(len(plan), skipped, done, 0, len(failed))
    return Outcome(len(plan), skipped, done, failed)


def do_run(planned: PlannedRun, out: Path, options: Options, device: str) -> str | None:
    """Do one run; the text of the error if it fails."""
    try:
        run, other = resolve(planned, out), planned.reuse
        reuse = None if other is None else out / replace(run, setting=other.setting).name
        with start_runtime(device, run.precision) as runtime:
            execute(RunContext(run, out / run.name, runtime, options, reuse))
    except EgonormError as error:
        return str(error)
    except Exception as error:  # one run's fault, whatever it is, must not end the others
        return f"{type(error).__name__}: {error}"
    return None


def _is_done(planned: PlannedRun, out: Path) -> bool:
    """Whether a run is complete; one that still waits for another to decide a number is not."""
    try:
        run = resolve(planned, out)
        return is_complete(out / run.name) and read_run(out / run.name) == run
    except RunError:  # it says why when the run is begun
        return False
