"""What a reader is: one modality of a medium, asked what it shows in some windows of time."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from egonorm.data.sampling import Window


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
            DataError: when it is missing, truncated, corrupt or lacks this modality.
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
