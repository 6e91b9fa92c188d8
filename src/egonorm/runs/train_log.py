"""The log of a training, a line a step: what can be read of it, whoever cut it short."""

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from egonorm.core.files import parse_json

LOG = "train.jsonl"


@dataclass(frozen=True)
class OfClass:
    """What a step's clips of one class were like."""

    n: int
    accuracy: float
    """In percent."""
    norms: dict[str, float]
    """Per modality, their mean norm."""


@dataclass(frozen=True)
class Step:
    """What the log says of a step."""

    step: int
    terms: dict[str, float]
    norms: dict[tuple[str, str], float]
    """Mean norm by domain and modality."""
    accuracy: dict[str, float] = field(default_factory=dict)
    """By domain with labels, in percent; older logs have none."""
    classes: dict[str, dict[str, OfClass]] = field(default_factory=dict)
    """By domain and class, at some of the steps; older logs have none."""


def read_log(folder: Path) -> tuple[Step, ...]:
    """The steps of a run's log, in order; none where it is gone. Lines that cannot be read are left out."""
    found = {step.step: step for line in read_lines(folder) if (step := _step(line))}
    return tuple(found[number] for number in sorted(found))


def last_seconds(folder: Path) -> float | None:
    """How many seconds after its last start a training was when it wrote its last readable line; None where no line says it."""
    for line in reversed(read_lines(folder)):
        try:
            seconds = float((parse_line(line) or {})["seconds"])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if isfinite(seconds):
            return seconds
    return None


def parse_line(line: str) -> dict | None:
    """A line of the log; None for one that a kill left unfinished."""
    try:
        entry = parse_json(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def step_of(line: str) -> int | None:
    """The step that a line tells of; None where it cannot be read."""
    try:
        return _count((parse_line(line) or {})["step"])
    except (KeyError, TypeError, ValueError):
        return None


def read_lines(folder: Path) -> list[str]:
    """The lines of a run's log as they are; none where it is gone."""
    try:
        return (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _step(line: str) -> Step | None:
    entry = parse_line(line)
    try:
        if entry is None:
            return None
        norms = {}
        for name, value in _floats(entry["norms"]).items():
            domain, _, modality = name.rpartition("/")
            norms[domain, modality] = value
        classes = {
            domain: {name: _of_class(about) for name, about in of.items()}
            for domain, of in entry.get("classes", {}).items()
        }
        return Step(_count(entry["step"]), _floats(entry["terms"]), norms, _floats(entry.get("accuracy", {})), classes)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return None


def _of_class(about: dict) -> OfClass:
    return OfClass(_count(about["n"]), float(about["accuracy"]), _floats(about["norms"]))


def _count(value: float | int) -> int:
    if not 0 <= value < 2**53:
        raise ValueError(f"{value!r} counts nothing")
    return int(value)


def _floats(tree: dict) -> dict[str, float]:
    return {name: float(value) for name, value in tree.items()}
