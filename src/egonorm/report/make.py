"""A report of a folder of runs, from the files to the page."""

from collections.abc import Callable
from pathlib import Path

from egonorm.bench.clip_saving import save_clips
from egonorm.bench.select import parse_selector
from egonorm.bench.table import find_runs
from egonorm.core import RunError
from egonorm.report.compose import compose, of_family
from egonorm.report.folder import refuse_foreign
from egonorm.report.looks import wanted_clips
from egonorm.report.page import write_page
from egonorm.report.source import REFERENCE, Source, read_source


def make_report(runs: Path, out: Path, method: str | None = None, select: str = "last-mean:9", clips: int = 2,
                progress: Callable[[int, int], None] = lambda done, total: None) -> Path:  # fmt: skip
    """Write the page that compares a method with Source Only, and save in the runs' folders the clips that it shows.

    Args:
        method: by its name; None takes RNA-Net if there are runs of it, else the first other method.
        clips: how many are shown of each kind and shift.

    Raises:
        RunError: when no run is complete, none is of the method, or `out` holds something that is no report.
    """
    refuse_foreign(out)
    source = read_source(find_runs(runs), parse_selector(select), select)
    chosen = _choose(source, method)
    pairs = tuple(pair for family in source.families for pair in of_family(source.pairs(chosen), family))
    not_saved = save_clips(wanted_clips(source, pairs, clips), progress) if clips else ()
    return write_page(compose(source, chosen, clips, not_saved), out)


def _choose(source: Source, method: str | None) -> str:
    others = [name for name in source.methods if name != REFERENCE]
    if method is None:
        return next(iter(others), REFERENCE)
    if method == REFERENCE:
        raise RunError(f"{REFERENCE} cannot be compared with itself.", got=f"--method {REFERENCE}",
                       expected=" or ".join(others) or "another method", remedy="Name another method.")  # fmt: skip
    if method not in others:
        raise RunError(f"There is no complete run of {method!r} to compare.", got=method,
                       expected=" or ".join(others) or f"a method beside {REFERENCE}",
                       remedy="Correct --method, or train it first.")  # fmt: skip
    return method
