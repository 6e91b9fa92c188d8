"""How it was made: what all runs have in common, in what they differ, where and when each was trained, and what was left out."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import egonorm
from egonorm.core.files import parse_json
from egonorm.report.data.paper import errata
from egonorm.report.data.runs import ReportData
from egonorm.report.page.model import Element, Facts, Grid, GridCell, Note, Section
from egonorm.runs.config import to_json
from egonorm.runs.directory import called_as, find_commit, read_starts
from egonorm.runs.results import Record
from egonorm.runs.train_log import last_seconds
from egonorm.sweeps.paper import PAPER_DOMAINS, display_name

SHOWN = 12
"""Different values that are told before they are counted."""
UNKNOWN = "not stored"


def making(data: ReportData) -> Section:
    """The section; made last, when it is known which predictions could not be read."""
    configs = [_flat(json.loads(to_json(record.run))) for record in data.records]
    keys = dict.fromkeys(key for config in configs for key in config)
    values = {key: list(dict.fromkeys(config.get(key, "-") for config in configs)) for key in keys}
    same = tuple((key, found[0]) for key, found in values.items() if len(found) == 1)
    different = tuple((key, _several(found)) for key, found in values.items() if len(found) > 1)
    missing = [*(f"{what} Got {got}." for what, got in data.broken.items())]
    parts: tuple[Element, ...] = (
        *(Note(text, is_warning=True) for text in missing),
        Facts(tuple(_page(data).items()), "This page"),
        _runs(data.records),
        *([Facts(different, "In what the runs differ")] if different else []),
        Facts(same, "What all runs have in common"),
        *([Facts(errata(), "Numbers of the paper that contradict each other")] if _shows_paper(data) else []),
    )
    return Section("making", "How it was made", parts)


def _page(data: ReportData) -> dict[str, str]:
    counts = ", ".join(map(str, sorted({len(record.steps) for record in data.records})))
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": called_as(),
        "egonorm": egonorm.__version__,
        "commit": find_commit() or UNKNOWN,
        "runs": str(len(data.records)),
        "selection": f"{data.selection} (checkpoints a run: {counts})",
        "methods": ", ".join(f"{display_name(name)} ({name})" for name in data.methods),
    }


def _runs(records: Iterable[Record]) -> Grid:
    lines = [_run(record) for record in records]
    header = tuple(lines[0])
    rows = tuple(tuple(_cell(value) for value in line.values()) for line in lines)
    caption = "seconds: how long the last start trained. left out: clips with broken media."
    return Grid("runs", "Runs", header, rows, caption, (header, *(tuple(line.values()) for line in lines)))


def _cell(value: object) -> GridCell:
    return GridCell(str(value), float(value) if isinstance(value, float | int) else None)


def _run(record: Record) -> dict[str, object]:
    """A run's surroundings; what an older run has not stored is said to be so."""
    starts = read_starts(record.folder) or [{}]
    first, own = starts[0], [start for start in starts if "trained_by" not in start] or [{}]
    last = own[-1]
    told = {
        name: str(last.get(name) or UNKNOWN)
        for name in ("device", "processes", "threads", "egonorm", "commit", "torch", "python")
    }
    return {
        "run": record.folder.name,
        "started": str(first.get("started", UNKNOWN)),
        "starts": len(own),
        "trained by": str(starts[-1].get("trained_by", "itself")),
        "seconds": UNKNOWN if (seconds := last_seconds(record.folder)) is None else seconds,
        "left out": sum(_count(path) for path in record.folder.glob("left_out*.json")),
        **told,
        "command": str(last.get("command") or UNKNOWN),
    }


def _count(listing: Path) -> int:
    found = _read_json(listing) or []
    lists = [clips for problem in found if isinstance(clips := problem.get("clips"), list)]
    return len({str(uid) for clips in lists for uid in clips})


def _read_json(path: Path) -> list[dict] | None:
    try:
        found = parse_json(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, list) and all(isinstance(one, dict) for one in found) else None


def _flat(tree: Mapping[str, object], before: str = "") -> dict[str, str]:
    """A tree as lines: `net.streams.rgb.encoder.width` and its value."""
    lines: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines |= _flat(value, f"{before}{key}.")
        else:
            lines[f"{before}{key}"] = json.dumps(value) if isinstance(value, list) else str(value)
    return lines


def _several(values: list[str]) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(values[:SHOWN]) + more


def _shows_paper(data: ReportData) -> bool:
    return any(record.setting.target in PAPER_DOMAINS for record in data.records)
