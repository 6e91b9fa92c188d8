"""HNA's radius from a Source Only run: half-way between the mean feature norms that it came to."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from egonorm.core import RunError
from egonorm.runs.config import Run
from egonorm.runs.results import is_complete
from egonorm.runs.train_log import LOG
from egonorm.sweeps.plan import Job

LAST = 0.1
"""The share of the training, at its end, that is looked at."""


def settled(job: Job, out: Path) -> Run:
    """The job's run with its radius in place, taken from the run that it needs.

    Raises:
        RunError: when that run is not complete.
    """
    if job.needs is None:
        return job.run
    folder = out / job.needs.name
    if not is_complete(folder):
        raise RunError(
            f"{job.run.method.name()} in {job.run.setting} has no radius yet.",
            got=f"no complete run in {folder}",
            expected="the Source Only run whose norms give it",
            remedy="See why that run failed; the same command then goes on, or give --radius.",
        )
    return replace(job.run, method=replace(job.run.method, radius=half_way(folder)))


def half_way(folder: Path) -> float:
    """The mean of the modalities' mean norms over the last tenth of the training steps, and over the sources; two decimals."""
    try:
        entries = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
        late = entries[-max(1, round(LAST * len(entries))) :]
        return round(fmean(norm for entry in late for norm in entry["norms"].values()), 2)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{folder / LOG} does not say how long the features were.",
            got=f"{type(error).__name__}: {error}",
            expected="the log of a training",
            remedy="Remove this run to do it again, or give --radius.",
        ) from None
