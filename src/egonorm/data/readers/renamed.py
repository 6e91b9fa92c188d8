"""Readers that ask others, which know media by other names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from egonorm.data.readers.protocol import Reader
from egonorm.data.sampling import Window


@runtime_checkable
class Pointer(Protocol):
    """A reader that asks others."""

    def reader_of(self, media: str) -> tuple[Reader, str]:
        """Who reads a medium, and by which name."""
        ...


def end_of(reader: Reader, media: str) -> tuple[Reader, str]:
    """The reader that opens a medium itself, and the medium's name below its root."""
    while isinstance(reader, Pointer):
        reader, media = reader.reader_of(media)
    return reader, media


@dataclass(frozen=True)
class Renamed:
    """One reader, whose media are named otherwise."""

    reader: Reader
    name_of: Callable[[str], str]
    """The reader's name of a medium."""

    def __call__(self, media: str, windows: Sequence[Window]) -> Tensor:
        """What the medium shows in each window."""
        return self.reader(self.name_of(media), windows)

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds the medium lasts."""
        return self.reader.examine(self.name_of(media), thorough)

    def reader_of(self, media: str) -> tuple[Reader, str]:
        """The one reader."""
        return self.reader, self.name_of(media)
