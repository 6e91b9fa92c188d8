"""Stored predictions: what a run's checkpoints say of a domain's test clips."""

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from egonorm.core import RunError
from egonorm.core.training import FUSED
from egonorm.runs.npz import read_npz
from egonorm.runs.results import Record, predictions_of

_SAME = ("uids", "labels", "classes")
"""What all checkpoints of a run have in common on a domain."""


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
        RunError: for predictions that cannot be read, are not those that the rows speak of, or are of other clips or streams
            in each checkpoint.
    """
    stated = stated_files(record, domain)
    if not stated:
        return None
    found = [_read_whole(path, value) for path, value in stated.items()]
    first = found[0]
    if not all(_are_alike(one, first) for one in found):
        path = next(iter(stated))
        raise RunError(
            f"{path.parent} holds predictions of different clips.",
            got="other clips or streams in each checkpoint",
            expected="one domain's test clips",
            remedy=_remedy(path),
        )
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


def stated_files(record: Record, domain: str) -> dict[Path, float]:
    """The files of the selected checkpoints, with the top-1 that each one's row states; none where not all are there."""
    stated = record.top1.get(domain, {})
    found = {predictions_of(record.folder, step, domain): stated[step] for step in record.steps if step in stated}
    return found if all(map(os.path.exists, found)) else {}


def hits_of(
    stated: Mapping[Path, float], scores: Sequence[Shaped[np.ndarray, "..."]], labels: Shaped[np.ndarray, "..."]
) -> Bool[np.ndarray, "checkpoint clip"]:
    """Whether each checkpoint was right on each clip.

    Args:
        stated: the checkpoints' files, with the top-1 that each one's row states.
        scores: those of each file, an array `clip label`.

    Raises:
        RunError: when that is not the top-1 of a file.
    """
    fitting = [one.ndim == 2 and one.size > 0 and labels.shape == one.shape[:1] for one in scores]
    if all(fitting):
        hits = np.stack([one.argmax(axis=1) for one in scores]) == labels
        fitting = (abs(100 * hits.mean(axis=1) - list(stated.values())) < 1e-6).tolist()
        if all(fitting):
            return hits
    path, top1 = list(stated.items())[fitting.index(False)]
    raise RunError(
        f"{path} does not agree with the rows of its run.",
        got="other predictions or other clips",
        expected=f"a top-1 of {top1:.2f} on {labels.size} clips",
        remedy=_remedy(path),
    )


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Some arrays of a file of predictions, or all. RunError when it cannot be read."""
    try:
        return read_npz(path, names)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, f"{type(error).__name__}: a file that is damaged or something else") from None


def _read_whole(path: Path, stated: float) -> dict[str, np.ndarray]:
    """A checkpoint's predictions, of which everything is there and fits together, and the rows agree with."""
    arrays = read_arrays(path)
    if wrong := _wrong(arrays):
        raise _unreadable(path, wrong)
    hits_of({path: stated}, [arrays[f"scores/{FUSED}"]], arrays["labels"])
    return arrays


def _wrong(arrays: Mapping[str, np.ndarray]) -> str:
    """What is missing or does not fit together; empty if nothing."""
    if missing := [name for name in (*_SAME, f"scores/{FUSED}") if name not in arrays]:
        return f"no {', '.join(missing)}"
    uids, labels, classes = (arrays[name] for name in _SAME)
    sizes: dict[str, tuple[int, ...]] = {"uids": (uids.size,), "labels": (uids.size,), "classes": (classes.size,)}
    sizes |= {name: (uids.size, classes.size) for name in arrays if name.startswith("scores/")}
    sizes |= {name: (uids.size,) for name in arrays if name.startswith("norms/")}
    kinds = {"uids": "U", "labels": "iu", "classes": "U"}
    for name, size in sizes.items():
        if arrays[name].shape != size or arrays[name].dtype.kind not in kinds.get(name, "f"):
            return f"{name} of {arrays[name].dtype} and shape {arrays[name].shape}"
    if not uids.size or labels.min() < 0 or labels.max() >= classes.size:
        return f"labels that are not among {classes.size} classes" if uids.size else "no clips"
    return "" if (uids[:-1] < uids[1:]).all() else "uids out of order"


def _are_alike(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether two checkpoints judged the same clips by the same streams."""
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in _SAME)


def _unreadable(path: Path, got: str) -> RunError:
    return RunError(
        f"{path} cannot be read.", got=got, expected="predictions, as training writes them", remedy=_remedy(path)
    )


def _first(scores: Float[np.ndarray, "clip label"]) -> Float[np.ndarray, "clip label"]:
    """One at the label with the highest score, zero elsewhere."""
    return np.eye(scores.shape[1])[scores.argmax(axis=1)]


def _remedy(path: Path) -> str:
    return f"Measure anew: egonorm test {path.parent.parent} --domain DOMAIN"
