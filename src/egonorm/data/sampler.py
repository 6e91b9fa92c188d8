"""Which clips a batch shows: in training an endless row of epochs for each domain, in testing every clip once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from egonorm.data.dataset import EvalKey, TrainKey


@dataclass(frozen=True)
class DomainBatchSampler:
    """The clips of each training step, as a batch sampler.

    A domain's clips come in an endless row of epochs, each in an order of its own; a step takes the next `batch` of them.
    Which clips those are follows from the seed and the step's number alone, so a run can go on at any step. With several
    processes each takes its consecutive share of the rows.
    """

    indices: Mapping[str, Int64[Tensor, " _"]]
    """Per domain, the numbers of its clips in the manifest."""
    batch: int
    first: int
    """The first step, counted from 1."""
    last: int
    seed: int
    rank: int = 0
    num_ranks: int = 1

    @property
    def share(self) -> int:
        """How many clips of a domain this process sees in a step."""
        return self.batch // self.num_ranks

    def __len__(self) -> int:
        return max(0, self.last - self.first + 1)

    def __iter__(self) -> Iterator[list[TrainKey]]:
        rows = [self._row(domain) for domain in self.indices]
        for _ in range(len(self)):
            yield [draw for row in rows for draw in islice(row, self.share)]

    def _row(self, domain: str) -> Iterator[TrainKey]:
        """What this process sees of a domain, step after step; of the orders only the present epoch's is kept."""
        clips, epoch, order = self.indices[domain], -1, np.empty(0, np.int64)
        count = len(clips)
        for step in range(self.first, self.last + 1):
            begin = (step - 1) * self.batch + self.rank * self.share
            for position in range(begin, begin + self.share):
                if position // count != epoch:
                    epoch = position // count
                    row = np.random.default_rng([self.seed, epoch, *domain.encode()]).permutation(count)
                    order = clips.numpy()[row]
                yield TrainKey(int(order[position % count]), epoch)


@dataclass(frozen=True)
class ClipSampler:
    """The clips of each batch of a test, as a batch sampler: every clip that is this process's, about `batch` windows at once."""

    num_clips: int
    num_windows: int
    batch: int
    rank: int = 0
    num_ranks: int = 1

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[list[EvalKey]]:
        for start in self._starts:
            yield [EvalKey(number, self.num_windows) for number in self._mine[start : start + self._starts.step]]

    @property
    def _mine(self) -> range:
        return range(self.rank, self.num_clips, self.num_ranks)

    @property
    def _starts(self) -> range:
        return range(0, len(self._mine), max(1, self.batch // self.num_windows))
