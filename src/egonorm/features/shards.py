"""Features on their way to a store: parts of some clips, each whole or absent, that several machines may share out."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from egonorm.core import RunError
from egonorm.core.files import KEY, Format, locked, parse_json, refuse_foreign, remove_left, write_atomically
from egonorm.core.shard import Shard
from egonorm.core.tensors import read_tensors, write_tensors
from egonorm.data.sets.features.store import PARTS

IDENTITY = "extract.json"
UNFINISHED = Format("features that are being extracted", "extract the features again in another folder")


@dataclass(frozen=True)
class Parts:
    """The parts of a folder: part k holds the clips from `k * size` on, of `num_clips`."""

    folder: Path
    num_clips: int
    size: int

    def __len__(self) -> int:
        return -(-self.num_clips // self.size)

    def clips(self, number: int) -> range:
        """The numbers of a part's clips."""
        return range(number * self.size, min((number + 1) * self.size, self.num_clips))

    def path(self, number: int) -> Path:
        """The file of a part."""
        return self.folder / PARTS / f"{number:06d}.safetensors"

    def missing(self, shard: Shard) -> list[int]:
        """The parts of a shard that are not there yet."""
        return [k for k in shard.of_these(range(len(self))) if not self.path(k).exists()]

    def write(self, number: int, features: Mapping[str, Tensor]) -> None:
        """Write a part."""
        write_tensors(self.path(number), features, {})

    def read(self, number: int) -> dict[str, Tensor]:
        """A part's features. RunError for a damaged one."""
        try:
            return read_tensors(self.path(number))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path(number)} is damaged.",
                got=str(error),
                expected="a part that was written whole",
                remedy="Remove it, and run the same command again.",
            ) from None

    def joined(self, modality: str) -> Tensor:
        """One modality's features of all clips."""
        parts = (self.read(number)[modality] for number in range(len(self)))
        first = next(parts)
        whole = torch.empty(self.num_clips, *first.shape[1:])
        for number, rows in enumerate(chain([first], parts)):
            whole[self.clips(number).start : self.clips(number).stop] = rows
        return whole

    def remove(self) -> None:
        """Remove all parts, once they are joined."""
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)


def num_clips(features: Mapping[str, Tensor]) -> int:
    """How many clips each modality's features are of."""
    return len(next(iter(features.values())))


def take(rows: Iterator[Mapping[str, Tensor]], count: int) -> dict[str, Tensor]:
    """The features of the next `count` clips, of as many batches as that takes."""
    taken: list[Mapping[str, Tensor]] = []
    while sum(map(num_clips, taken)) < count:
        taken.append(next(rows))
    return {name: torch.cat([piece[name] for piece in taken]) for name in taken[0]}


@contextmanager
def claim_store(folder: Path, identity: Mapping[str, object], shard: Shard) -> Iterator[None]:
    """Make a folder that of features still to be computed, and keep others from computing the same shard at once.

    Raises:
        RunError: for a folder of other features, of something else, that another process is at, or that cannot be written.
    """
    path = folder / PARTS / IDENTITY
    refuse_foreign(folder, "store of features", PARTS)
    with joining(folder):
        remove_left(folder, path.parent)
        if path.exists():
            refuse_other_features(folder, _identity(path), identity)
        else:
            write_atomically(path, (json.dumps({KEY: UNFINISHED.version} | dict(identity), indent=2) + "\n").encode())
    with _locked(path.with_name(f".shard-{shard.number}-{shard.of}"), wait=False):
        yield


def _identity(path: Path) -> object:
    try:
        found = parse_json(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read.",
            got=str(error),
            expected="what features are being computed, as egonorm extract wrote it",
            remedy="Extract the features again in another folder.",
        ) from None
    UNFINISHED.check(path, found.get(KEY, 1) if isinstance(found, dict) else 1)
    return found


@contextmanager
def joining(folder: Path) -> Iterator[None]:
    """Be the only process that begins or joins the parts; another waits here."""
    with _locked(folder / ".lock", wait=True):
        yield


def refuse_other_features(folder: Path, found: object, wanted: Mapping[str, object]) -> None:
    """Refuse a folder of features that differ in anything that decides their numbers."""
    differing = [name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]]
    if differing:
        told = lambda tree: "; ".join(f"{name} {tree.get(name)}" for name in differing)  # noqa: E731
        raise RunError(
            f"{folder} belongs to other features.",
            got=told(found if isinstance(found, dict) else {}),
            expected=told(wanted),
            remedy="Give another folder to --out.",
        )


def _locked(path: Path, wait: bool) -> AbstractContextManager[None]:
    taken = lambda: RunError(  # noqa: E731
        f"{path.parent.parent} is being filled by another process.",
        got="a locked shard",
        expected="one process, those of one torchrun, or a shard of its own for each",
        remedy="Wait until it ends, or share the work out: --shard 1/2 and 2/2.",
    )
    return locked(path, wait, taken)
