"""The numbers of a planned run's method that other runs decide: read from their logs when they are complete."""

from dataclasses import replace
from pathlib import Path

from egonorm.core import RunError
from egonorm.methods.base import TrainedRun
from egonorm.runs.config import Run
from egonorm.runs.results import is_complete
from egonorm.runs.train_log import LOG, read_log
from egonorm.sweeps.plan import PlannedRun


def resolve(planned: PlannedRun, out: Path) -> Run:
    """The run as it is done, with the numbers of its method that other runs in `out` decide.

    Raises:
        RunError: when a run that it needs is not complete, or its log is not whole.
    """
    run, runs = planned.run, {}
    for needed in planned.needs:
        if not is_complete(out / needed.name):
            fields = ", ".join(field for field, method in run.method.from_runs.items() if method == needed.method)
            raise RunError(
                f"{run.method.name()} in {run.setting} has no {fields} yet.",
                got=f"no complete run in {out / needed.name}",
                expected=f"the run of {needed.method.label()} that decides it",
                remedy="See why that run failed; the same command then goes on. "
                f"Or give it: --methods {run.method.name()}:{fields.partition(',')[0]}=NUMBER.",
            )
        runs[needed.method] = TrainedRun(_read_norms(out / needed.name, needed))
    if not runs:
        return run
    given = {field: getattr(run.method, field) for field, of in run.method.from_runs.items() if of not in runs}
    return replace(run, method=replace(run.method.resolve(runs), **given))


def _read_norms(folder: Path, run: Run) -> tuple[dict[tuple[str, str], float], ...]:
    norms = tuple(step.norms for step in read_log(folder))
    if len(norms) < run.optim.steps or not all(norms):
        raise RunError(
            f"{folder / LOG} does not say how long the features were.",
            got=f"mean norms of {sum(map(bool, norms))} steps",
            expected=f"those of all {run.optim.steps} steps",
            remedy=f"Bring {LOG} back, or move the run's folder elsewhere: the same command then does that run again.",
        )
    return norms
