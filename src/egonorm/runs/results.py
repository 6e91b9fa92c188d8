"""The rows of a run, a number each, as a long table on disk; which checkpoints speak for it, and what they say."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path

import msgspec

from egonorm.core import RunError, Setting
from egonorm.core.files import write_atomically
from egonorm.methods import Method
from egonorm.runs.config import Run, StoredRun, read_stored

FILE = "results.jsonl"


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
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
    write_atomically(folder / FILE, "".join(json.dumps(msgspec.structs.asdict(row)) + "\n" for row in rows).encode())


def read_rows(folder: Path) -> tuple[Row, ...]:
    """A run's rows; none when it has not been judged yet. RunError names the file and the line that cannot be read."""
    path = folder / FILE
    try:
        content = path.read_bytes() if path.exists() else b""
        try:
            return tuple(_ROWS.decode_lines(content))
        except msgspec.MsgspecError:  # NaN, which JSON does not know; or what is told by its line
            return tuple(map(_row, content.decode().splitlines()))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise RunError(
            f"{path} cannot be read.",
            got=str(error),
            expected="one row a line, as training writes them",
            remedy="Remove the file, and give the command that made the run again.",
        ) from None


_ROWS = msgspec.json.Decoder(Row)


def _row(line: str) -> Row:
    """A line's row; several times as slow as all at once."""
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
    return folder.joinpath("predictions", f"{step:06d}-{domain}.npz")


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


Selector = Callable[[Sequence[Row]], tuple[int, ...]]
"""From the rows of one complete run to the steps whose measurements are averaged."""


def last_mean(k: int) -> Selector:
    """The last `k` checkpoints, whose accuracies are averaged: the paper's protocol with 9 (Section 5.1)."""
    return lambda rows: steps(rows)[-k:]


def last(rows: Sequence[Row]) -> tuple[int, ...]:
    """The last checkpoint."""
    return steps(rows)[-1:]


def best_on_source(rows: Sequence[Row]) -> tuple[int, ...]:
    """The checkpoint with the best mean accuracy on the sources' test clips: the honest choice when the target is unknown."""
    return _best(rows, Setting.parse(rows[0].setting).sources)


def oracle(rows: Sequence[Row]) -> tuple[int, ...]:
    """The checkpoint that is best on the very target it is judged on: an upper bound, never a result."""
    return _best(rows, (Setting.parse(rows[0].setting).target,))


def parse_selector(text: str) -> Selector:
    """The selector of a name: `last-mean:9`, `last`, `best-on-source` or `oracle`."""
    plain = {"last": last, "best-on-source": best_on_source, "oracle": oracle}
    name, _, count = text.partition(":")
    if text in plain:
        return plain[text]
    if name == "last-mean" and count.isdecimal() and int(count) > 0:
        return last_mean(int(count))
    raise RunError(
        f"There is no selection {text!r}.",
        got=text,
        expected=f"last-mean:K, {', '.join(plain)}",
        remedy="Write for example --select last-mean:9.",
    )


def steps(rows: Sequence[Row]) -> tuple[int, ...]:
    """The steps that were measured, in order."""
    return tuple(sorted({row.step for row in rows if row.metric != COMPLETE}))


def _best(rows: Sequence[Row], domains: tuple[str, ...]) -> tuple[int, ...]:
    found = [row for row in rows if row.metric == "top1" and row.domain in domains and row.split == "test"]
    if {row.domain for row in found} != set(domains):
        raise RunError(
            f"{rows[0].run} was not judged on {', '.join(domains)}.",
            got=", ".join(sorted({row.domain for row in rows if row.metric != COMPLETE})) or "none",
            expected="test clips of each of these domains",
            remedy=f"Measure them, with egonorm test RUN --domain {domains[0]} for example, or select otherwise.",
        )
    totals = {step: sum(row.value for row in found if row.step == step) for step in steps(found)}
    return (max(totals, key=lambda step: (totals[step], step)),)


@dataclass(frozen=True, eq=False)
class Record:
    """A complete run."""

    stored: StoredRun
    steps: tuple[int, ...]
    """The checkpoints that were selected."""
    measured: Mapping[str, Mapping[str, tuple[float, int]]]
    """Per domain and metric: the mean over the selected checkpoints, and on how many clips it was measured."""
    top1: Mapping[str, Mapping[int, float]]
    """Per domain: the accuracy of every checkpoint, by its step."""

    @property
    def folder(self) -> Path:
        """The run's."""
        return self.stored.folder

    @property
    def setting(self) -> Setting:
        """What it learnt from, and its target."""
        return self.stored.setting

    @property
    def seed(self) -> int:
        """The run's."""
        return self.stored.seed

    @property
    def method(self) -> Method:
        """With what it takes from other runs."""
        return self.stored.method

    @property
    def run(self) -> Run:
        """The whole configuration."""
        return self.stored.run

    @classmethod
    def of(cls, stored: StoredRun, rows: Sequence[Row], steps: tuple[int, ...]) -> "Record":
        """The record of a run's rows, of which only what is measured is kept."""
        values: dict[str, dict[str, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
        top1: dict[str, dict[int, float]] = defaultdict(dict)
        chosen = set(steps)
        for row in rows:
            if row.step in chosen:
                values[row.domain][row.metric].append((row.value, row.n))
            if row.metric == "top1":
                top1[row.domain][row.step] = row.value
        mean = lambda found: (fsum([value for value, _ in found]) / len(found), found[0][1])  # noqa: E731
        measured = {domain: {metric: mean(found) for metric, found in of.items()} for domain, of in values.items()}
        return cls(stored, steps, measured, dict(top1))


Runs = Mapping[int, Record]
"""Runs that differ in nothing but the seed, by it and in its order."""


def read_records(folders: Iterable[Path], selector: Selector) -> tuple[tuple[Record, ...], str]:
    """The complete runs, and a sentence about the others; empty if there are none. RunError when none is complete."""
    folders, records, unfinished = tuple(folders), [], 0
    unreadable: dict[str, RunError] = {}
    for folder in folders:
        try:
            stored, rows = read_stored(folder), read_rows(folder)
        except RunError as error:
            unreadable[folder.name] = error
            continue
        if rows and rows[-1].metric == COMPLETE:
            measurements = [row for row in rows if row.metric != COMPLETE]
            records.append(Record.of(stored, measurements, selector(rows)))
        else:
            unfinished += 1
    if not records and unreadable:
        raise next(iter(unreadable.values()))
    if not records:
        raise RunError(
            "There is no complete run to tabulate.",
            got=f"{len(folders)} unfinished",
            expected="a complete run",
            remedy=f"Finish one: egonorm train --resume {folders[0]}",
        )
    sentences = [f"Unfinished runs left out: {unfinished}."] if unfinished else []
    sentences += [f"Left out, for it cannot be read: {name} ({error.got})." for name, error in unreadable.items()]
    return tuple(records), " ".join(sentences)
