"""The results on disk, by kind of processor: `results.json` for the check, `RESULTS.md` for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.notes import NOTES
from benchmarks.record import Goal, Record, Skipped, Spread
from egonorm.core.files import write_atomically

JSON, TABLE = "results.json", "RESULTS.md"


@dataclass(frozen=True)
class Results:
    """Everything that one or several runs measured."""

    machine: Mapping[str, str]
    records: tuple[Record, ...]
    skipped: tuple[Skipped, ...]

    def add(self, newer: "Results") -> "Results":
        """These, with what is newer in place of what it measured again."""
        again = {record.name for record in newer.records}
        cases = {skip.name for skip in newer.skipped}
        records = (*(r for r in self.records if r.name not in again), *newer.records)
        skipped = (*(s for s in self.skipped if s.name not in cases), *newer.skipped)
        return Results(newer.machine, records, skipped)


def write_results(folder: Path, kind: str, results: Results) -> None:
    """Write both files; what they hold of other kinds of processors stays."""
    stored = read_results(folder) | {kind: results}
    trees = {kind: asdict(results) for kind, results in stored.items()}
    write_atomically(folder / JSON, (json.dumps(trees, indent=1) + "\n").encode())
    write_atomically(folder / TABLE, render(stored).encode())


def read_results(folder: Path) -> dict[str, Results]:
    """What is stored in a folder, by kind of processor."""
    if not (folder / JSON).is_file():
        return {}
    return {kind: _results(tree) for kind, tree in json.loads((folder / JSON).read_text()).items()}


def _results(tree: dict) -> Results:
    skipped = tuple(Skipped(**skip) for skip in tree["skipped"])
    return Results(tree["machine"], tuple(map(_record, tree["records"])), skipped)


def _record(tree: dict) -> Record:
    goal = None if tree["goal"] is None else Goal(**tree["goal"])
    return Record(**tree | {"value": Spread(**tree["value"]), "goal": goal})


def render(stored: Mapping[str, Results]) -> str:
    """The page: per kind of processor the machine, the table, and what was skipped; and how it was measured."""
    return "\n".join(
        [
            "# Speed",
            "",
            "Written by `make bench`. Each number is the median of alternating repetitions (A B A B in one process; whole",
            "processes for commands and memory), in brackets the lowest and the highest; ratios are taken repetition by",
            "repetition. Above 1, ours is faster. The limit is this machine's measured rate of matrix products, copies or JPEG",
            "decoding over the work's counted FLOPs or files. What processors can do differs: each kind has a table of its own,",
            "and `make bench-check` compares with that of its own kind.",
            "",
            *(line for kind, results in stored.items() for line in _section(kind, results)),
            "## How it was measured",
            "",
            *(f"- {note}" for note in NOTES),
            "",
        ]
    )


def _section(kind: str, results: Results) -> list[str]:
    whens = sorted(record.when for record in results.records)
    dates = f"{whens[0]} to {whens[-1]} UTC" if whens else "never"
    about = [f"- {name}: {value}" for name, value in results.machine.items()]
    heading = [f"## A processor with {kind}", "", f"Measured {dates}.", "", *about, ""]
    return [*heading, *_table(results.records), "", *_left_out(results.skipped)]


def _table(records: Sequence[Record]) -> list[str]:
    rows = [f"| {r.what} | {_number(r)} | {_goal(r)} | {r.detail} |" for r in records]
    return ["| what | measured | goal | in detail |", "|---|---|---|---|", *rows]


def _number(record: Record) -> str:
    value, unit = record.value, "" if record.unit == "times" else f" {record.unit}"
    return f"{value.middle:.3g}{unit} ({value.low:.3g} to {value.high:.3g})"


def _goal(record: Record) -> str:
    if record.goal is None:
        return ""
    bound = "at least" if record.goal.at_least else "at most"
    return f"{bound} {record.goal.number:g}: {'met' if record.met else '**not met**'}"


def _left_out(skipped: Sequence[Skipped]) -> list[str]:
    if not skipped:
        return ["Nothing was skipped.", ""]
    return ["Skipped:", "", *(f"- `{skip.name}`: {skip.why}" for skip in skipped), ""]
