"""Clips: the one dataset class. One window per clip and epoch, given to every modality's reader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from torch.utils.data import Dataset

from egonorm.core import Batch
from egonorm.data.inputs import Input
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.sampling import Span, Window, even_windows, random_window


@dataclass(frozen=True)
class Draw:
    """Training's question: clip number `index`, looked at anew in each `epoch`."""

    index: int
    epoch: int


@dataclass(frozen=True)
class Glance:
    """Testing's question: clip number `index`, its window `number` (from 0) of `of` evenly spread ones."""

    index: int
    number: int
    of: int


@dataclass(frozen=True)
class Sample:
    """One clip's window in every modality; `label is None` where the setting does not show it."""

    domain: str
    uid: str
    inputs: Mapping[str, Tensor]
    label: int | None


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
        clip = self.manifest.clips[key.index]
        window, view = self._window(key), self._view(key)
        inputs = {name: self._look(name, clip.media, window, view) for name in self.readers}
        label = None if clip.domain in self.unlabelled else self.manifest.label_of(clip)
        return Sample(clip.domain, clip.uid, inputs, label)

    def _window(self, key: Draw | Glance) -> Window:
        clip = self.manifest.clips[key.index]
        if isinstance(key, Glance):
            return even_windows(clip.start, clip.stop, self.span, key.of)[key.number]
        return random_window(clip.start, clip.stop, self.span, Random(f"{self.seed}/{key.epoch}/{clip.uid}/window"))

    def _view(self, key: Draw | Glance) -> str | None:
        if isinstance(key, Glance):
            return None
        return f"{self.seed}/{key.epoch}/{self.manifest.clips[key.index].uid}/view"

    def _look(self, name: str, media: str, window: Window, view: str | None) -> Tensor:
        seen, given = self.readers[name](media, window.start, window.stop), self.inputs[name]
        return given.view(seen, Random(view) if view is not None and given.varies else None)


def collate(samples: Sequence[Sample]) -> tuple[Batch, ...]:
    """One batch per domain, in the order in which the domains first appear."""
    domains = dict.fromkeys(sample.domain for sample in samples)
    return tuple(_batch(domain, [s for s in samples if s.domain == domain]) for domain in domains)


def _batch(domain: str, samples: list[Sample]) -> Batch:
    labels = None if samples[0].label is None else torch.tensor([sample.label for sample in samples])
    inputs = {name: torch.stack([s.inputs[name] for s in samples]) for name in samples[0].inputs}
    return Batch(domain, tuple(sample.uid for sample in samples), inputs, labels)
