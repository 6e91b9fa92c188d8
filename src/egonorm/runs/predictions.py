"""Stored predictions: what a run's checkpoints say of a domain's test clips.

A table of a thousand runs reads ten thousand of these files, and has their arrays four times as soon as `numpy.load` would. Only
what `numpy.savez` and `numpy.savez_compressed` write is read so, checksums compared; anything else, and any damage, is left to
numpy, which reads it or says what is wrong.
"""

import io
import os
import shlex
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import isfinite, prod
from pathlib import Path
from struct import Struct
from struct import error as StructError
from tokenize import TokenError
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from egonorm.core import RunError
from egonorm.core.npz import UNREADABLE, check_npz
from egonorm.core.training import FUSED
from egonorm.runs.config import prediction_files, predictions_of

if TYPE_CHECKING:
    from egonorm.runs.results import Record

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


def read_predicted(record: "Record", domain: str) -> Predicted | None:
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
    names = [name for name in first if name.startswith(("scores/", "norms/"))]
    mean = {name: np.mean([one[name] for one in found], axis=0) for name in names}
    scores, norms = (
        {n.partition("/")[2]: x for n, x in mean.items() if n.startswith(kind)} for kind in ("scores", "norms")
    )
    votes = {name: np.mean([_first(one[f"scores/{name}"]) for one in found], axis=0) for name in scores}
    labels, classes = first["labels"], tuple(map(str, first["classes"]))
    shares = {name: np.take_along_axis(x, labels[:, None], axis=1)[:, 0] for name, x in votes.items()}
    check_measured(record, domain, shares, labels, classes, norms)
    return Predicted(first["uids"], labels, classes, scores, votes, norms)


def stated_files(record: "Record", domain: str) -> dict[Path, float]:
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


Values = Mapping[str, tuple[float, int]]
"""By metric: its value, and on how many clips it was measured."""


def check_measured(
    record: "Record",
    domain: str,
    shares: Mapping[str, Float[np.ndarray, " clip"]],
    labels: Int[np.ndarray, " clip"],
    classes: Sequence[str],
    norms: Mapping[str, Float[np.ndarray, " clip"]],
) -> None:
    """Refuse rows that are not those of predictions, as far as they can be measured of these.

    Args:
        shares: per modality and `fused`, the share of the checkpoints that were right on each clip.
        norms: per modality, the mean over the checkpoints of each clip's.

    Raises:
        RunError: names the first that differs.
    """
    path = predictions_of(record.folder, record.steps[-1], domain)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
        raise _unreadable(path, f"labels that are not among {len(classes)} classes")
    if wrong := _differs(_measure(shares, labels, classes, norms), record.measured[domain]):
        raise RunError(
            f"{path} does not agree with the rows of its run.", got=wrong[1], expected=wrong[0], remedy=_remedy(path)
        )


def lacking(
    folder: Path, domains: Collection[str], metrics: Mapping[tuple[int, str], Collection[str]]
) -> tuple[str, str] | None:
    """What a run's rows lack of what its predictions are of, got and expected; None where nothing is missing.

    No predictions are read: those that are needed are compared with their rows when they are (`check_measured`).

    Args:
        domains: those that the run was to be judged on; others count where there are rows of them.
        metrics: those that there are rows of, by step and domain.
    """
    judged = {*domains, *(domain for _, domain in metrics)}
    for path, step, domain in prediction_files(folder):
        if domain in judged and (step, domain) not in metrics:
            return f"no rows of {domain} at step {step}", f"those of {path.name}"
    names = {domain: set[str]() for _, domain in metrics}
    for (_, domain), own in metrics.items():
        names[domain].update(own)
    for (step, domain), own in metrics.items():
        if lost := names[domain].difference(own):
            return f"no {min(lost)} of {domain} at step {step}", "the metrics of the other steps"
    return None


def _measure(
    shares: Mapping[str, Float[np.ndarray, " clip"]],
    labels: Int[np.ndarray, " clip"],
    classes: Sequence[str],
    norms: Mapping[str, Float[np.ndarray, " clip"]],
) -> dict[str, tuple[float, int]]:
    """What rows say of some predictions, but for what these do not hold (`Predictions.measure`)."""
    n, counts = len(labels), np.bincount(labels, minlength=len(classes))
    seen = np.flatnonzero(counts)
    recalls = 100 * np.bincount(labels, weights=shares[FUSED], minlength=len(classes))[seen] / counts[seen]
    found = {f"top1/{name}".removesuffix(f"/{FUSED}"): (100 * float(x.mean()), n) for name, x in shares.items()}
    found["mean_class_accuracy"] = float(recalls.mean()), n
    means = {name: float(x.mean()) for name, x in norms.items()}
    found |= {f"mean_norm/{name}": (value, n) for name, value in means.items()}
    found |= {f"mean_norm_difference/{a}-{b}": (means[a] - means[b], n) for a, b in combinations(means, 2)}
    of_classes = zip(seen.tolist(), recalls.tolist(), counts[seen].tolist(), strict=True)
    return found | {f"recall/{classes[k]}": (value, count) for k, value, count in of_classes}


def _differs(found: Values, stated: Values) -> tuple[str, str] | None:
    """The first metric that rows state otherwise: what they state, and what was found."""
    for name, (value, n) in found.items():
        if name in stated and not (stated[name][1] == n and _is_same(name, stated[name][0], value)):
            return f"{name} {stated[name][0]:g} on {stated[name][1]} clips", f"{value:g} on {n}"
    return None


def _is_same(name: str, stated: float, found: float) -> bool:
    """Whether a metric is the same but for the order in which its float32 numbers were added up; NaN is NaN."""
    if not isfinite(stated) or not isfinite(found):
        return repr(stated) == repr(found)
    return abs(stated - found) < (1e-4 * (1 + abs(found)) if name.startswith("mean_norm") else 1e-6)


def read_arrays(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Some arrays of a file of predictions, or all. RunError when it cannot be read."""
    try:
        return read_npz(path, names)
    except (*UNREADABLE, zlib.error) as error:
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
    domain = path.stem.partition("-")[2]
    return f"Measure anew: {shlex.join(['egonorm', 'test', str(path.parent.parent), '--domain', domain])}"


_ENTRY = Struct("<4s4xHH4xLLLHHH8xL")
"""An entry of a zip file's directory: signature, flags, method, checksum, sizes, lengths of what follows, the file's place."""
_END = Struct("<4s4xHHLLH")
"""The end of a zip file: signature, number of entries, the directory's size and place, and the length of a comment."""
_LENGTHS = Struct("<HH")
"""Before a file's content: the lengths of its name and of a remark."""
_METHODS = {0: lambda content, size: content, 8: lambda content, size: _inflated(content, size)}


def _inflated(content: bytes, size: int) -> bytes:
    """What is packed here, and no more than one byte beyond the size that it is to have."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)


def read_npz(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Some arrays of a file, or all, in its order.

    Raises:
        UNREADABLE, zlib.error: as `numpy.load` does.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a path's own method takes longer than to read the file
        content = file.read()
    try:
        found = _arrays(content, None if names is None else {f"{name}.npy".encode() for name in names})
    except (*UNREADABLE, StructError, IndexError, SyntaxError, TokenError, zlib.error):
        found = {}
    if found and (names is None or len(found) == len(names)):
        return found if names is None else {name: found[name] for name in names}
    check_npz(io.BytesIO(content))
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in names or arrays.files}


def _arrays(content: bytes, wanted: set[bytes] | None) -> dict[str, np.ndarray]:
    """The wanted arrays by name. ValueError, or another of those that `read_npz` knows, for what is not as usual."""
    found = {}
    signature, _, number, _, place, comment = _END.unpack(content[-_END.size :])
    if signature != b"PK\x05\x06" or comment:
        raise ValueError("no plain zip file")
    for _ in range(number):
        signature, flags, method, checksum, packed, size, length, extra, remark, start = _ENTRY.unpack_from(
            content, place
        )
        name = content[place + 46 : place + 46 + length]
        if signature != b"PK\x01\x02" or flags & 1 or name[-4:] != b".npy":
            raise ValueError("no entry of an array")
        place += 46 + length + extra + remark
        if wanted is None or name in wanted:
            start += 30 + sum(_LENGTHS.unpack_from(content, start + 26))
            array = _METHODS[method](content[start : start + packed], size)
            if len(array) != size or zlib.crc32(array) != checksum:
                raise ValueError("another checksum")
            found[name[:-4].decode()] = _array(array)
            if wanted is not None and len(found) == len(wanted):
                break
    return found


def _array(content: bytes) -> np.ndarray:
    begin = 10 + int.from_bytes(content[8:10], "little")
    shape, is_fortran, dtype = _header(content[:begin])
    if dtype.hasobject or len(content) - begin != dtype.itemsize * prod(shape):
        raise ValueError("no plain array")
    return np.frombuffer(content, dtype, offset=begin).reshape(shape, order="F" if is_fortran else "C")


@lru_cache(maxsize=1024)
def _header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an array; files of one run have few different headers."""
    if header[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError("another version of the format")
    return np.lib.format.read_array_header_1_0(io.BytesIO(header[8:]))
