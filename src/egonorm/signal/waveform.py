"""The waveform itself, where sound is to be heard or drawn and not given to a network."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Waveform:
    """Sound as it is, mono, at a rate."""

    rate: int = 24000
    """Samples a second."""
    seconds: float = 1.279
    """Length of the sound that is looked at."""

    @property
    def num_samples(self) -> int:
        """The length in samples."""
        return round(self.seconds * self.rate)

    @property
    def shape(self) -> tuple[int, int]:
        """One row of samples."""
        return 1, self.num_samples

    def __call__(self, waveform: Float[Tensor, "*clip sample"]) -> Float[Tensor, "*clip 1 1 sample"]:
        """The same samples."""
        return waveform[..., None, None, :]
