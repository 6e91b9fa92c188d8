"""Which clips each training step shows: an endless row of epochs for each domain."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from egonorm.data.dataset import Draw


@dataclass(frozen=True)
class Steps:
    """The clips of each training step, as a batch sampler.

    A domain's clips come in an endless row of epochs, each in an order of its own; a step takes the next `batch` of them.
    Which clips those are follows from the seed and the step's number alone, so a run can go on at any step. With several
    processes each takes its consecutive share of the rows.
    """

    indices: dict[str, tuple[int, ...]]
    """Per domain, the numbers of its clips in the manifest."""
    batch: int
    first: int
    """The first step, counted from 1."""
    last: int
    seed: int
    rank: int = 0
    num_ranks: int = 1

    def __len__(self) -> int:
        return max(0, self.last - self.first + 1)

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in range(self.first, self.last + 1):
            yield [draw for domain in self.indices for draw in self._rows(domain, step)]

    def _rows(self, domain: str, step: int) -> Iterator[Draw]:
        share = self.batch // self.num_ranks
        begin = (step - 1) * self.batch + self.rank * share
        count = len(self.indices[domain])
        for position in range(begin, begin + share):
            epoch, place = divmod(position, count)
            yield Draw(self.indices[domain][_order(self.seed, domain, epoch, count)[place]], epoch)


@lru_cache(maxsize=64)
def _order(seed: int, domain: str, epoch: int, count: int) -> tuple[int, ...]:
    address = [seed, epoch, *domain.encode()]
    return tuple(np.random.default_rng(address).permutation(count).tolist())
