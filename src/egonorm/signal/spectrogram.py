"""From a waveform to the log spectrogram that the audio network sees, as Temporal Binding Network computes it."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


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
    """Samples in the Hann window."""
    hop: int = 120
    """Samples from one column to the next."""
    floor: float = 1e-6

    @property
    def num_samples(self) -> int:
        """The length of the waveform in samples."""
        return round(self.seconds * self.rate)

    @property
    def shape(self) -> tuple[int, int]:
        """Frequencies and times of the result."""
        return self.num_fft // 2 + 1, self.num_samples // self.hop + 1

    @property
    def frequencies(self) -> tuple[float, ...]:
        """The frequency of each row, in hertz."""
        return tuple(k * self.rate / self.num_fft for k in range(self.shape[0]))

    def __call__(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "1 frequency time"]:
        """Transform a mono waveform in [-1, 1].

        The transform is computed in float64 and given in float32: in float32, bands that are nearly silent beside a loud one
        would differ from librosa's by 0.002.
        """
        spectrum = torch.stft(
            waveform.double(),
            n_fft=self.num_fft,
            hop_length=self.hop,
            win_length=self.window,
            window=_hann(self.window, waveform.device),
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log(power + self.floor).float().unsqueeze(0)


@lru_cache(maxsize=8)
def _hann(length: int, device: torch.device) -> Tensor:
    return torch.hann_window(length, periodic=True, dtype=torch.float64, device=device)
