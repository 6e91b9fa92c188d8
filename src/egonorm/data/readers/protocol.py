"""What a reader answers: which frames, samples or features a medium shows between two times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from egonorm.core import PartlyBrokenError
from egonorm.data.windows import Window


@runtime_checkable
class Reader(Protocol):
    """One modality. A new one needs these two methods and nothing else."""

    def __call__(self, media: str, windows: Sequence[Window]) -> Tensor:
        """What `media` shows in each window: `window ...`. What several windows show is read once.

        Before its beginning and after its end a medium shows its first and last moment.

        Raises:
            DataError: when it cannot be read there.
        """
        ...

    def examine(self, media: str, thorough: bool = False) -> float:
        """How many seconds `media` really lasts; `thorough` decodes all of it, else its packets are walked.

        Raises:
            PartlyBrokenError: when it is broken in places, and can be read elsewhere.
            DataError: when it is missing, corrupt or lacks this modality.
        """
        ...


@runtime_checkable
class ManyReader(Reader, Protocol):
    """A reader to which many media at once are hardly more work than one, for each shows little."""

    def of_many(self, asked: Sequence[tuple[str, Sequence[Window]]]) -> Tensor:
        """What several media show in their windows, one medium after the other: `window ...`.

        Raises:
            DataError: when one cannot be read there.
        """
        ...


@runtime_checkable
class Reaching(Protocol):
    """A reader that tells what of a medium it needs for a clip: where a medium is broken elsewhere, the clip is usable."""

    def reach(self, start: float, stop: float, seconds: float) -> tuple[float, float]:
        """From when to when it looks for the windows of a clip between two times, in a medium of so many seconds."""
        ...


@runtime_checkable
class Pointer(Protocol):
    """A reader that asks others."""

    def reader_of(self, media: str) -> tuple[Reader, str]:
        """Who reads a medium, and by which name."""
        ...


def seconds_of(reader: Reader, media: str) -> float:
    """How many seconds a medium lasts, also when it is broken in places. DataError when nothing of it can be read."""
    try:
        return reader.examine(media)
    except PartlyBrokenError as error:
        return error.seconds


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
