"""Stored predictions: what a run's checkpoints say of a domain's test clips."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from egonorm.bench.records import Record
from egonorm.bench.table import predictions_of
from egonorm.core import RunError


@dataclass(frozen=True)
class Predicted:
    """What a run says of a domain's test clips, as the mean over its selected checkpoints."""

    uids: Shaped[np.ndarray, " clip"]
    """Sorted."""
    labels: Int[np.ndarray, " clip"]
    classes: tuple[str, ...]
    scores: dict[str, Float[np.ndarray, "clip label"]]
    """Per modality and `fused`."""
    votes: dict[str, Float[np.ndarray, "clip label"]]
    """The share of the checkpoints that put a label first; the mean of those at the true labels is the run's top-1."""
    norms: dict[str, Float[np.ndarray, " clip"]]
    """Per modality, the length of its feature."""


def read_predicted(record: Record, domain: str) -> Predicted | None:
    """The predictions of the selected checkpoints; None where they are not there any more.

    Raises:
        RunError: for predictions that cannot be read, or of other clips in each checkpoint.
    """
    paths = [predictions_of(record.folder, step, domain) for step in record.steps]
    if not paths or not all(path.exists() for path in paths):
        return None
    found = [read_arrays(path) for path in paths]
    first = found[0]
    if any(not np.array_equal(one["uids"], first["uids"]) for one in found):
        raise RunError(f"{paths[0].parent} holds predictions of different clips.", got="other clips in each checkpoint",
                       expected="one domain's test clips", remedy=_remedy(paths[0]))  # fmt: skip
    streams = [name.partition("/")[2] for name in first if name.startswith("scores/")]
    mean = lambda name: np.mean([one[name] for one in found], axis=0)  # noqa: E731
    votes = lambda name: np.mean([_first(one[f"scores/{name}"]) for one in found], axis=0)  # noqa: E731
    return Predicted(
        first["uids"],
        first["labels"],
        tuple(map(str, first["classes"])),
        {name: mean(f"scores/{name}") for name in streams},
        {name: votes(name) for name in streams},
        {name.partition("/")[2]: mean(name) for name in first if name.startswith("norms/")},
    )


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Some arrays of a file of predictions, or all. RunError when it cannot be read."""
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return {name: arrays[name] for name in names or arrays.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{path} cannot be read.", got=f"{type(error).__name__}: {error}",
                       expected="predictions, as training writes them", remedy=_remedy(path)) from None  # fmt: skip


def _first(scores: Float[np.ndarray, "clip label"]) -> Float[np.ndarray, "clip label"]:
    """One at the label with the highest score, zero elsewhere."""
    return np.eye(scores.shape[1])[scores.argmax(axis=1)]


def _remedy(path: Path) -> str:
    return f"Measure anew: egonorm test {path.parent.parent} --domain DOMAIN"
