"""Rows: a long table on disk. One row is one measured number."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path

from egonorm.core import RunError
from egonorm.core.files import write_atomically

FILE = "results.jsonl"


@dataclass(frozen=True)
class Row:
    """One number: `metric` of the checkpoint at `step`, measured on `n` clips of a domain's split."""

    run: str
    method: str
    setting: str
    seed: int
    step: int
    split: str
    domain: str
    metric: str
    value: float
    n: int


COMPLETE = "complete"
"""The metric of the last row of a complete run."""


def write_rows(folder: Path, rows: Iterable[Row]) -> None:
    """Write a run's rows, all or nothing."""
    write_atomically(folder / FILE, "".join(json.dumps(asdict(row)) + "\n" for row in rows).encode())


def read_rows(folder: Path) -> tuple[Row, ...]:
    """A run's rows; none when it has not been judged yet. RunError names the file and the line that cannot be read."""
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return _all_rows(lines) or tuple(map(_row, lines))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(
            f"{path} cannot be read.",
            got=str(error),
            expected="one row a line, as training writes them",
            remedy="Remove the file, and give the command that made the run again.",
        ) from None


def _all_rows(lines: list[str]) -> tuple[Row, ...]:
    """The rows, several times as fast as line by line; none where a line is not as it should be."""
    try:
        entries = json.loads(f"[{','.join(lines)}]")
        columns = list(zip(*map(_FIELDS, entries), strict=True))
    except (ValueError, TypeError, KeyError):
        return ()
    is_whole = len(entries) == len(lines) and sum(map(len, entries)) == len(columns) * len(lines)
    if not is_whole or [set(map(type, column)) for column in columns] != _KINDS:
        return ()
    rows = []
    for entry in entries:
        rows.append(row := object.__new__(Row))
        row.__dict__.update(entry)  # a frozen dataclass sets field by field, which takes as long as all the rest
    return tuple(rows)


_FIELDS = itemgetter(*Row.__annotations__)
_KINDS = [{kind} for kind in Row.__annotations__.values()]


def _row(line: str) -> Row:
    entry = json.loads(line)
    if not isinstance(entry, dict):
        raise TypeError(f"{line[:40]} is no row")
    for name, kind in Row.__annotations__.items():
        given, allowed = entry.get(name), (int, float) if kind is float else kind
        if isinstance(given, bool) or not isinstance(given, allowed):
            raise TypeError(f"{name} is {json.dumps(given)}")
    return Row(**entry | {"value": float(entry["value"])})


def predictions_of(folder: Path, step: int, domain: str) -> Path:
    """The file of what a run's checkpoint says of a domain's test clips."""
    return folder / "predictions" / f"{step:06d}-{domain}.npz"


def is_complete(folder: Path) -> bool:
    """Whether the run's last row says that it is whole."""
    rows = read_rows(folder)
    return bool(rows) and rows[-1].metric == COMPLETE


def find_runs(out: Path) -> tuple[Path, ...]:
    """The runs' folders below `out`, or `out` itself when it is one. RunError when there is none."""
    files = (path for folder in (out, *out.glob("*")) for path in (*folder.glob("config.json"), *folder.glob(FILE)))
    folders = tuple(sorted({path.parent for path in files}))
    if not folders:
        raise RunError(
            f"{out} holds no runs.",
            got="no folder with a config.json",
            expected="runs that train wrote",
            remedy="Name the folder that was given to --out.",
        )
    return folders
