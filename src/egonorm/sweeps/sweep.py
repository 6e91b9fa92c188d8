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
from egonorm.sweeps.plan import Job
from egonorm.sweeps.radius import settled
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
    jobs: Sequence[Job],
    out: Path,
    engine: Engine,
    options: Options,
    device: str,
    tell: Callable[[int, int, int, int, int], None] = lambda *counts: None,
) -> Outcome:
    """Do what is not done yet. A run that fails stops no other, but those that need its norms.

    Args:
        tell: hears of every change: how many there are, were complete before, are done, running and failed.
    """
    waiting = {job.run.name: job for job in jobs if not _is_done(job, out)}
    skipped, done, running, failed = len(jobs) - len(waiting), 0, set(), {}
    while waiting or running:
        pending = waiting.keys() | running
        ready = [name for name, job in waiting.items() if pending.isdisjoint(job.waits_for)]
        for name in ready[: engine.num_slots - len(running)]:
            running.add(name)
            engine.start(name, partial(perform, waiting.pop(name), out, options, device))
        tell(len(jobs), skipped, done, len(running), len(failed))
        name, error = engine.finished()
        running.remove(name)
        if error is None:
            done += 1
        else:
            failed[name] = error
    tell(len(jobs), skipped, done, 0, len(failed))
    return Outcome(len(jobs), skipped, done, failed)


def perform(job: Job, out: Path, options: Options, device: str) -> str | None:
    """Do one job; the text of the error if it fails."""
    try:
        run = settled(job, out)
        twin = None if job.twin is None else out / replace(run, setting=job.twin.setting).name
        with start_runtime(device, run.precision) as runtime:
            execute(RunContext(run, out / run.name, runtime, options, twin))
    except EgonormError as error:
        return str(error)
    except Exception as error:  # one run's fault, whatever it is, must not end the others
        return f"{type(error).__name__}: {error}"
    return None


def _is_done(job: Job, out: Path) -> bool:
    """Whether a job's run is complete; one that still waits for its radius is not."""
    try:
        run = settled(job, out)
        return is_complete(out / run.name) and read_run(out / run.name) == run
    except RunError:  # it says why when the run is begun
        return False
