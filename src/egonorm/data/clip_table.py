"""Clips by column, in tensors: processes share them, where objects by the million would be copied into each."""

from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from operator import attrgetter, eq

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int32, Int64, Shaped, UInt8
from torch import Tensor

from egonorm.data.clip import Clip

ROWS = 4096
"""How many clips are objects at the same time while all of them are looked at."""


@dataclass(frozen=True)
class Texts:
    """A text in each row. Every different text is stored once and has a number.

    The tensors are looked at through NumPy for a moment only: sharing a tensor with another process may move it.
    """

    numbers: Int32[Tensor, " row"]
    content: UInt8[Tensor, " byte"]
    """All different texts in UTF-8, one behind the other."""
    bounds: Int64[Tensor, " bound"]
    """Where in `content` each begins, and where the last one ends."""

    def __getitem__(self, rows: slice | Shaped[Tensor, " any"]) -> "Texts":
        return Texts(self.numbers[rows], self.content, self.bounds)

    def at(self, row: int) -> str:
        """The text in one row."""
        number = self.numbers.numpy()[row]
        begin, end = self.bounds.numpy()[number : number + 2].tolist()
        return self.content.numpy()[begin:end].tobytes().decode("utf-8", "surrogatepass")

    def tolist(self) -> list[str]:
        """The text in every row."""
        different, places = np.unique(self.numbers.numpy(), return_inverse=True)
        return list(map(self._spelled(different).__getitem__, places.tolist()))

    def found(self, times: int = 1) -> list[str]:
        """The different texts that stand in at least so many rows."""
        return self._spelled(np.flatnonzero(np.bincount(self.numbers.numpy()) >= times))

    def are_in(self, texts: Collection[str]) -> Bool[Tensor, " row"]:
        """Whether each row's text is one of some."""
        every = self._spelled(np.arange(len(self.bounds) - 1))
        return torch.tensor([text in texts for text in every], dtype=torch.bool)[self.numbers]

    def _spelled(self, numbers: np.ndarray) -> list[str]:
        content, bounds = memoryview(self.content.numpy()), self.bounds.numpy()
        places = zip(bounds[numbers].tolist(), bounds[numbers + 1].tolist(), strict=True)
        return [str(content[begin:end], "utf-8", "surrogatepass") for begin, end in places]


@dataclass(frozen=True, eq=False)
class ClipTable(Sequence[Clip]):
    """A sequence of clips, each made when it is asked for; the columns are a clip's fields, in their order."""

    uid: Texts
    media: Texts
    start: Float64[Tensor, " clip"]
    stop: Float64[Tensor, " clip"]
    label: Texts
    domain: Texts
    split: Texts

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, rows: int | slice) -> "Clip | ClipTable":
        chosen = range(len(self))[rows]
        if isinstance(chosen, range):
            return self.take(torch.from_numpy(np.arange(chosen.start, chosen.stop, chosen.step)))
        times = self.start[chosen].item(), self.stop[chosen].item()
        return Clip(
            self.uid.at(chosen),
            self.media.at(chosen),
            *times,
            self.label.at(chosen),
            self.domain.at(chosen),
            self.split.at(chosen),
        )

    def __iter__(self) -> Iterator[Clip]:
        for first in range(0, len(self), ROWS):
            yield from map(Clip, *(column[first : first + ROWS].tolist() for column in self._columns))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClipTable | tuple):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def take(self, rows: Shaped[Tensor, " any"]) -> "ClipTable":
        """The clips of some rows, given by number, or by true and false for each."""
        return ClipTable(*(column[rows] for column in self._columns))

    @property
    def _columns(self) -> tuple[Texts | Tensor, ...]:
        return tuple(vars(self).values())


def clip_table(clips: Iterable[Clip]) -> ClipTable:
    """The table of clips, which may come one by one."""
    fields = ClipTable.__match_args__
    columns = [_Times() if field in ("start", "stop") else _Numbered() for field in fields]
    clips = iter(clips)
    while some := list(map(attrgetter(*fields), islice(clips, ROWS))):
        for column, values in zip(columns, zip(*some, strict=True), strict=True):
            column.extend(values)
    return ClipTable(*(column.finished() for column in columns))


class _Times(array):
    """A column of times that grows."""

    def __new__(cls):
        return super().__new__(cls, "d")

    def finished(self) -> Float64[Tensor, " clip"]:
        return torch.from_numpy(np.array(self, dtype=np.float64))


class _Numbered(dict[str, int]):
    """A column of texts that grows: the number of each different text."""

    def __init__(self):
        self.numbers = array("i")

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number

    def extend(self, texts: Iterable[str]) -> None:
        self.numbers.extend(map(self.__getitem__, texts))

    def finished(self) -> Texts:
        spelled = [text.encode("utf-8", "surrogatepass") for text in self]
        content = np.frombuffer(bytearray().join(spelled), dtype=np.uint8)
        bounds = np.fromiter(accumulate(map(len, spelled), initial=0), np.int64, len(spelled) + 1)
        return Texts(*map(torch.from_numpy, (np.array(self.numbers, dtype=np.int32), content, bounds)))
