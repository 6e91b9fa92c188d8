"""Clips: the one dataset class. The same windows of a clip, given to every modality's reader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from random import Random

import torch
from torch import Tensor
from torch.utils.data import Dataset

from egonorm.core import Batch
from egonorm.data.inputs import Input
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.sampling import Span, Window, even_windows, random_window


@dataclass(frozen=True)
class Draw:
    """Training's question: one window of clip number `index`, drawn anew in each `epoch`."""

    index: int
    epoch: int


@dataclass(frozen=True)
class Glance:
    """Testing's question: clip number `index`, in so many evenly spread windows."""

    index: int
    num_windows: int


@dataclass(frozen=True)
class Sample:
    """One clip's windows in every modality; `label is None` where the setting does not show it."""

    domain: str
    uid: str
    inputs: Mapping[str, Tensor]
    """A row a window."""
    label: int | None

    def __len__(self) -> int:
        """How many windows."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True)
class Clips(Dataset):
    """A manifest and a reader per modality.

    What a `Draw` shows depends on `(seed, epoch, uid)` alone: not on the number of workers, the order or the machine. All
    modalities get the same window and the same draw of the view, so they are paired by construction.
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

    def __getitem__(self, key: Draw | Glance) -> Sample:
        clip = self._clip(key.index)
        windows, view = self._windows(key, clip), self._view(key, clip)
        inputs = {name: self._look(name, clip.media, windows, view) for name in self.readers}
        label = None if clip.domain in self.unlabelled else self.manifest.label_of(clip)
        return Sample(clip.domain, clip.uid, inputs, label)

    @cached_property
    def _clip(self) -> Callable[[int], Clip]:
        """A clip of the manifest, which makes it of its columns; the last thousand are kept."""
        return lru_cache(maxsize=1024)(self.manifest.clips.__getitem__)

    def __getstate__(self) -> dict[str, object]:
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def _windows(self, key: Draw | Glance, clip: Clip) -> tuple[Window, ...]:
        if isinstance(key, Glance):
            return even_windows(clip.start, clip.stop, self.span, key.num_windows)
        random = Random(f"{self.seed}/{key.epoch}/{clip.uid}/window")
        return (random_window(clip.start, clip.stop, self.span, random),)

    def _view(self, key: Draw | Glance, clip: Clip) -> str | None:
        return None if isinstance(key, Glance) else f"{self.seed}/{key.epoch}/{clip.uid}/view"

    def _look(self, name: str, media: str, windows: tuple[Window, ...], view: str | None) -> Tensor:
        seen, given = self.readers[name](media, windows), self.inputs[name]
        return given.view(seen, Random(view) if view is not None and given.varies else None)


def collate(samples: Sequence[Sample]) -> tuple[Batch, ...]:
    """One batch per domain, a row a window, in the order in which the domains first appear."""
    domains = dict.fromkeys(sample.domain for sample in samples)
    return tuple(_batch(domain, [s for s in samples if s.domain == domain]) for domain in domains)


def _batch(domain: str, samples: list[Sample]) -> Batch:
    rows = [sample for sample in samples for _ in range(len(sample))]
    labels = None if rows[0].label is None else torch.tensor([row.label for row in rows])
    inputs = {name: torch.cat([s.inputs[name] for s in samples]) for name in samples[0].inputs}
    return Batch(domain, tuple(row.uid for row in rows), inputs, labels)
