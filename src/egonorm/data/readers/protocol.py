"""What a reader is: one modality of a medium, asked what it shows between two times."""

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Reader(Protocol):
    """One modality. A new one needs these two methods and nothing else."""

    def __call__(self, media: str, start: float, stop: float) -> Tensor:
        """What `media` shows from `start` up to `stop`, in seconds.

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
