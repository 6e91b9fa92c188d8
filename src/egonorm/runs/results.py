"""The rows of a run, a number each, as a long table on disk; which checkpoints speak for it, and what they say."""

import hashlib
import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import fsum, inf, isfinite
from pathlib import Path

import msgspec

from egonorm.core import EgonormError, RunError, Setting
from egonorm.core.files import locked, parse_json, write_atomically
from egonorm.methods import Method
from egonorm.runs.config import Run, StoredRun, read_stored
from egonorm.runs.predictions import lacking

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
    digest: str = ""
    """Of all lines before the last row, which alone has it; rows of older runs have none."""


COMPLETE = "complete"
"""The metric of the last row of a complete run; its `n` is the number of the others."""


STOPPED = "stopped.json"
"""Why a training was stopped that has diverged; it is there until the training goes on."""


def note_stop(folder: Path, error: EgonormError) -> None:
    """Store with a run that its training has diverged."""
    told = {"what": error.what, "got": error.got, "expected": error.expected, "remedy": error.remedy}
    write_atomically(folder / STOPPED, (json.dumps(told, indent=2) + "\n").encode())


def read_stop(folder: Path) -> RunError | None:
    """Why a run's training was stopped; None if it was not, or nothing usable tells it."""
    try:
        told = parse_json((folder / STOPPED).read_text())
        what = f"The training in {folder} has diverged. {told['what']}"
        return RunError(what, got=told["got"], expected=told["expected"], remedy=told["remedy"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write_rows(folder: Path, rows: Iterable[Row]) -> None:
    """Write a run's rows, all or nothing; a last row that says that the run is complete gets number and digest of the others."""
    rows = list(rows)
    last = rows.pop() if rows and rows[-1].metric == COMPLETE else None
    content = "".join(map(_line, rows))
    if last is not None:
        content += _line(msgspec.structs.replace(last, n=len(rows), digest=_digest(content.encode())))
    write_atomically(folder / FILE, content.encode())


def _line(row: Row) -> str:
    tree = msgspec.structs.asdict(row)
    return json.dumps(tree if row.digest else {name: x for name, x in tree.items() if name != "digest"}) + "\n"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@contextmanager
def changing_rows(folder: Path) -> Iterator[None]:
    """Be the only process that changes a run's rows and predictions; another waits here."""
    taken = lambda: RunError(  # noqa: E731
        f"{folder} is locked.", got="a lock", expected="none", remedy="Run the same command again."
    )
    with locked(folder / ".rows.lock", wait=True, taken=taken):
        yield


def read_rows(folder: Path) -> tuple[Row, ...]:
    """A run's rows; none when it has not been judged yet.

    Raises:
        RunError: names the file, and the line that cannot be read, or what is not as it was written or cannot be.
    """
    path = folder / FILE
    try:
        content = path.read_bytes() if path.exists() else b""
        try:
            rows = tuple(_ROWS.decode_lines(content))
        except (msgspec.MsgspecError, RecursionError):  # NaN, which JSON does not know; or what is told by its line
            rows = tuple(map(_row, content.decode().splitlines()))
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise _unusable(path, "cannot be read", str(error), "one row a line, as training writes them") from None
    if wrong := _changed(content, rows) or _impossible(rows):
        raise _unusable(path, "is not what was measured", *wrong)
    return rows


def _unusable(path: Path, what: str, got: str, expected: str) -> RunError:
    remedy = f"Judge its checkpoints anew: {shlex.join(['egonorm', 'test', str(path.parent)])}"
    return RunError(f"{path} {what}.", got=got, expected=expected, remedy=remedy)


_ROWS = msgspec.json.Decoder(Row)


def _row(line: str) -> Row:
    """A line's row; several times as slow as all at once."""
    entry = parse_json(line)
    if not isinstance(entry, dict):
        raise TypeError(f"{line[:40]} is no row")
    for name, kind in Row.__annotations__.items():
        given, allowed = entry.get(name, "" if name == "digest" else None), (int, float) if kind is float else kind
        if isinstance(given, bool) or not isinstance(given, allowed):
            raise TypeError(f"{name} is {json.dumps(given)[:40]}")
    return Row(**entry | {"value": float(entry["value"])})


def _changed(content: bytes, rows: Sequence[Row]) -> tuple[str, str] | None:
    """What differs from number and digest in the last row, if it has them."""
    last = rows[-1] if rows else None
    if last is None or last.metric != COMPLETE or not last.digest:
        return None
    if last.n != len(rows) - 1:
        return f"{len(rows) - 1} rows before the last", f"{last.n}, as the last one says"
    found = _digest(content[: content.rstrip().rfind(b"\n") + 1])
    return None if found == last.digest else (f"rows of digest {found}", f"{last.digest}, as the last one says")


class _Ranges(dict[str, tuple[float, float]]):
    """Between which numbers each metric lies, found once."""

    def __missing__(self, metric: str) -> tuple[float, float]:
        kinds = dict.fromkeys(("top1", "mean_class_accuracy", "recall", "answer_share"), (0.0, 100.0))
        kinds |= {"norm_share": (0.0, 100.001), "mean_norm": (0.0, inf)}  # a share is rounded, as float32
        return self.setdefault(metric, kinds.get(metric.partition("/")[0], (-inf, inf)))


_RANGES = _Ranges()
_MAY_DIVERGE = ("mean_norm", "norm_share")
"""How metrics begin that are infinite or not a number where training has diverged."""


def _impossible(rows: Sequence[Row]) -> tuple[str, str] | None:
    """What no judgement gives: numbers out of their range, one that stands twice, rows behind the last."""
    ranges, told = _RANGES, rows[:-1] if rows and rows[-1].metric == COMPLETE else rows
    for row in told:
        if row.metric == COMPLETE:
            return f"rows after the one that says {COMPLETE}", "that one last"
        low, high = ranges[row.metric]
        if not low <= row.value <= high and (isfinite(row.value) or not row.metric.startswith(_MAY_DIVERGE)):
            return f"{_named(row)} is {row.value:g}", f"{low:g} to {high:g}"
        if row.n < 1 or row.step < 0:
            return f"{_named(row)} on {row.n} clips", "a step from 0 on, and one clip or more"
    if len({(row.step, row.domain, row.metric) for row in told}) < len(told):
        counts = Counter(map(_named, told))
        return f"{max(counts, key=lambda name: counts[name])} more than once", "each number once"
    return None


def _named(row: Row) -> str:
    return f"{row.metric} of {row.domain} at step {row.step}"


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
    """The complete runs, and a sentence about the others; empty if there are none. EgonormError when none is complete."""
    folders, records, unfinished = tuple(folders), [], 0
    unreadable: list[EgonormError] = []
    for folder in folders:
        try:
            record = _read_record(folder, selector)
        except EgonormError as error:
            unreadable.append(error)
            continue
        if record is None and (stopped := read_stop(folder)):
            unreadable.append(stopped)
        elif record is None:
            unfinished += 1
        else:
            records.append(record)
    if not records and unreadable:
        raise unreadable[0]
    if not records:
        raise RunError(
            "There is no complete run to tabulate.",
            got=f"{len(folders)} unfinished",
            expected="a complete run",
            remedy=f"Finish one: {shlex.join(['egonorm', 'train', '--resume', str(folders[0])])}",
        )
    sentences = [f"Unfinished runs left out: {unfinished}."] if unfinished else []
    sentences += [f"Left out: {error.what} Got {error.got}." for error in unreadable]
    return tuple(records), " ".join(sentences)


def _read_record(folder: Path, selector: Selector) -> Record | None:
    """A run's record; None for a run that is not complete."""
    stored, rows = read_stored(folder), read_rows(folder)
    if not rows or rows[-1].metric != COMPLETE:
        return None
    found = rows[-1].method, rows[-1].setting, rows[-1].seed
    own = stored.method.name(), str(stored.setting), stored.seed
    if found != own:
        told = "{} {}, seed {}".format
        raise _unusable(folder / FILE, "is of another run", f"rows of {told(*found)}", told(*own))
    confirm_rows(folder, stored.setting, rows)
    measurements = rows[:-1]
    if diverged := next((row for row in measurements if not isfinite(row.value)), None):
        raise RunError(
            f"The training in {folder} has diverged.",
            got=f"{_named(diverged)} is {diverged.value}",
            expected="finite numbers",
            remedy="Train with a lower learning rate, or in float32.",
        )
    return Record.of(stored, measurements, selector(rows))


def confirm_rows(folder: Path, setting: Setting, rows: Sequence[Row]) -> None:
    """Refuse a complete run's rows without a digest that lack some of what there are predictions of. RunError says which."""
    if rows and rows[-1].metric == COMPLETE and not rows[-1].digest:
        metrics: dict[tuple[int, str], list[str]] = defaultdict(list)
        for row in rows[:-1]:
            metrics[row.step, row.domain].append(row.metric)
        if wrong := lacking(folder, setting.domains, metrics):
            raise _unusable(folder / FILE, "is not what was measured", *wrong)
