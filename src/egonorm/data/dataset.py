"""Clips: the one dataset class. The same windows of a clip, given to every modality's reader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from egonorm.core import Batch
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.readers.protocol import ManyReader, Reader
from egonorm.data.transforms import Input
from egonorm.data.windows import Span, Window, even_windows, random_window


@dataclass(frozen=True)
class TrainKey:
    """Training's question: one window of clip number `index`, drawn anew in each `epoch`."""

    index: int
    epoch: int


@dataclass(frozen=True)
class EvalKey:
    """Testing's question: clip number `index`, in so many evenly spread windows."""

    index: int
    num_windows: int


class ClipRequest(NamedTuple):
    """What a question comes to: windows of a clip, and what its augmentation is drawn from in training."""

    clip: Clip
    windows: tuple[Window, ...]
    seed: str | None


@dataclass(frozen=True)
class Clips(Dataset):
    """A manifest and a reader per modality.

    What a `TrainKey` shows depends on `(seed, epoch, uid)` alone: not on the number of workers, the order or the machine. All
    modalities get the same window and are augmented from the same seed, so they are paired by construction.
    """

    manifest: Manifest
    readers: Mapping[str, Reader]
    inputs: Mapping[str, Input]
    span: Span
    seed: int = 0
    unlabelled: frozenset[str] = frozenset()
    """Domains whose labels are left out of every sample."""

    def __len__(self) -> int:
        return len(self.manifest)

    def __getitem__(self, key: TrainKey | EvalKey) -> Batch:
        """One clip, a row a window."""
        return self.batches([key])[0]

    def batches(self, keys: Sequence[TrainKey | EvalKey]) -> tuple[Batch, ...]:
        """One batch per domain, a row a window, in the order in which the domains first appear."""
        looks: dict[str, list[ClipRequest]] = {}
        for key in keys:
            clip = self._clip(key.index)
            looks.setdefault(clip.domain, []).append(ClipRequest(clip, self._windows(key, clip), self._seed(key, clip)))
        return tuple(self._batch(domain, several) for domain, several in looks.items())

    def prepare(self, batch: Batch) -> Batch:
        """A batch that was read, as the network takes it, on the device where it is."""
        return replace(batch, inputs={name: self.inputs[name].to_inputs(x) for name, x in batch.inputs.items()})

    def _batch(self, domain: str, looks: Sequence[ClipRequest]) -> Batch:
        rows = [look.clip for look in looks for _ in look.windows]
        known = domain not in self.unlabelled
        labels = torch.tensor([self.manifest.label_of(clip) for clip in rows]) if known else None
        inputs = {name: self._seen(name, looks) for name in self.readers}
        return Batch(domain, tuple(clip.uid for clip in rows), inputs, labels)

    def _seen(self, name: str, looks: Sequence[ClipRequest]) -> Tensor:
        reader, given = self.readers[name], self.inputs[name]
        if name in self._of_many and isinstance(reader, ManyReader):
            return given.augment(reader.of_many([(look.clip.media, look.windows) for look in looks]), None)
        drawn = lambda look: Random(look.seed) if look.seed is not None and given.varies else None  # noqa: E731
        return torch.cat([given.augment(reader(look.clip.media, look.windows), drawn(look)) for look in looks])

    @cached_property
    def _of_many(self) -> frozenset[str]:
        """The modalities that are looked up for many clips at once."""
        many = {name for name, reader in self.readers.items() if isinstance(reader, ManyReader)}
        return frozenset(name for name in many if not self.inputs[name].varies)

    @cached_property
    def _clip(self) -> Callable[[int], Clip]:
        """A clip of the manifest, which makes it of its columns; the last thousand are kept."""
        return lru_cache(maxsize=1024)(self.manifest.clips.__getitem__)

    def __getstate__(self) -> dict[str, object]:
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def _windows(self, key: TrainKey | EvalKey, clip: Clip) -> tuple[Window, ...]:
        if isinstance(key, EvalKey):
            return even_windows(clip.start, clip.stop, self.span, key.num_windows)
        random = Random(f"{self.seed}/{key.epoch}/{clip.uid}/window")
        return (random_window(clip.start, clip.stop, self.span, random),)

    def _seed(self, key: TrainKey | EvalKey, clip: Clip) -> str | None:
        return None if isinstance(key, EvalKey) else f"{self.seed}/{key.epoch}/{clip.uid}/view"
