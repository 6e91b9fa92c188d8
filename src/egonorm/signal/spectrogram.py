"""From a waveform to the log spectrogram that the audio network sees, as Temporal Binding Network computes it."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import pad

from egonorm.core import DataError


@dataclass(frozen=True)
class Spectrogram:
    """A log power spectrogram: `ln(|STFT|^2 + floor)`, low frequencies first, no normalisation.

    The defaults are Temporal Binding Network's (`dataset.py`, Kazakos et al., ICCV 2019): a periodic Hann window of 10 ms
    every 5 ms, in an FFT of 511 samples, centred, padded with zeros. 1.279 s at 24 kHz become 256 x 256.
    """

    rate: int = 24000
    """Samples a second."""
    seconds: float = 1.279
    """Length of the sound that is looked at."""
    num_fft: int = 511
    window: int = 240
    """Samples in the Hann window, an even number."""
    hop: int = 120
    """Samples from one column to the next."""
    floor: float = 1e-6

    def __post_init__(self):
        if self.window % 2 or not 0 < self.window <= self.num_fft:
            raise DataError(
                "The spectrogram's window cannot be used.",
                got=f"{self.window} samples",
                expected=f"an even number up to {self.num_fft}",
                remedy="Correct `window`.",
            )

    @property
    def num_samples(self) -> int:
        """The length of the waveform in samples."""
        return round(self.seconds * self.rate)

    @property
    def shape(self) -> tuple[int, int]:
        """Frequencies and times of the result."""
        return self.num_fft // 2 + 1, (self.num_samples - self.num_fft % 2) // self.hop + 1

    @property
    def frequencies(self) -> tuple[float, ...]:
        """The frequency of each row, in hertz."""
        return tuple(k * self.rate / self.num_fft for k in range(self.shape[0]))

    def __call__(self, waveform: Float[Tensor, "*clip sample"]) -> Float[Tensor, "*clip 1 frequency time"]:
        """Transform mono waveforms in [-1, 1].

        Of a frame only the window is not zero, and 511 is an awkward length of an FFT: two matrix products are faster. Around its
        middle a frame is the sum of an even part, which cosines alone see, and an odd one, which sines see.
        It is computed in float64 and given in float32: in float32, bands that are nearly silent beside a loud one would
        differ from librosa's by 0.002.
        """
        if waveform.ndim > 1 and waveform.device.type == "cpu":
            return torch.stack([self(one) for one in waveform])  # one by one they stay in the processor's cache
        half = self.window // 2
        padded = pad(waveform.double(), (half - 1, half - self.num_fft % 2))
        frames = padded.unfold(-1, 2 * half - 1, self.hop)
        ahead, behind = frames[..., half - 1 :], frames[..., :half].flip(-1)  # from the middle, `*clip time sample`
        cosines, sines = _waves(self.num_fft, self.window, waveform.device)
        real, imaginary = cosines @ (ahead + behind).mT, sines @ (ahead - behind).mT
        power = real.square_().add_(imaginary.square_())
        return power.add_(self.floor).float().log_().unsqueeze(-3)


@lru_cache(maxsize=8)
def _waves(num_fft: int, window: int, device: torch.device) -> tuple[Float64[Tensor, "frequency sample"], ...]:
    """Cosines and sines from a frame's middle on, under the Hann window; the middle, which is in both halves, counts half."""
    place = torch.arange(window // 2, dtype=torch.float64)
    hann = 0.5 + 0.5 * torch.cos(2 * torch.pi * place / window)
    hann[0] = 0.5
    turns = torch.arange(num_fft // 2 + 1, dtype=torch.float64)[:, None] * place % num_fft
    angles = 2 * torch.pi / num_fft * turns
    return (hann * angles.cos()).to(device), (hann * angles.sin()).to(device)
