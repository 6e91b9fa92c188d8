"""From a waveform to the log mel bands that the aiSFX network sees, as Essentia computes them for it."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Float64
from torch import Tensor


@dataclass(frozen=True)
class LogMel:
    """Log power in mel bands: `log10(gain * power + 1) / peak`, low bands first.

    The defaults are aiSFX's (Ma and Lerch, ISMIR 2022, package 0.1.2, `spectrogram_essentia.py`): symmetric Hann windows of
    2048 samples every 1024 at 44.1 kHz, 96 triangles that are straight on the mel scale of HTK and whose weights sum to 1.
    All frames lie inside the waveform, so 2.345 s become 96 x 100, and no frame is half silence as at the ends of a
    centred transform. The sound's level is left as it is.
    """

    rate: int = 44100
    """Samples a second."""
    seconds: float = 103424 / 44100
    """Length of the sound that is looked at: 99 hops and a frame."""
    num_fft: int = 2048
    """Samples in a frame."""
    hop: int = 1024
    """Samples from one frame to the next."""
    num_mels: int = 96
    """Bands from 0 to half the rate."""
    gain: float = 10000.0
    peak: float = 9.457798957824707
    """What becomes 1: the highest value in the network's training sounds."""

    @property
    def num_samples(self) -> int:
        """The length of the waveform in samples."""
        return round(self.seconds * self.rate)

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and times of the result."""
        return self.num_mels, (self.num_samples - self.num_fft) // self.hop + 1

    @property
    def frequencies(self) -> tuple[float, ...]:
        """The middle of each band, in hertz."""
        step = _mel(self.rate / 2) / (self.num_mels + 1)
        return tuple(_hertz((k + 1) * step) for k in range(self.num_mels))

    def __call__(self, waveform: Float[Tensor, "*clip sample"]) -> Float[Tensor, "*clip 1 frequency time"]:
        """Transform mono waveforms in [-1, 1]; computed in float64 and given in float32."""
        spectrum = torch.stft(
            waveform.double(),
            n_fft=self.num_fft,
            hop_length=self.hop,
            window=_hann(self.num_fft, waveform.device),
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        bands = _triangles(self.rate, self.num_fft, self.num_mels, waveform.device) @ power
        return (torch.log10(self.gain * bands + 1) / self.peak).float().unsqueeze(-3)


@lru_cache(maxsize=8)
def _hann(length: int, device: torch.device) -> Tensor:
    return torch.hann_window(length, periodic=False, dtype=torch.float64, device=device)


@lru_cache(maxsize=8)
def _triangles(rate: int, num_fft: int, num_mels: int, device: torch.device) -> Float64[Tensor, "band frequency"]:
    """Each band's weights: they rise from the middle of the band below and fall to that of the band above."""
    edges = torch.linspace(0, _mel(rate / 2), num_mels + 2, dtype=torch.float64)
    heard = torch.tensor([_mel(bin * rate / num_fft) for bin in range(num_fft // 2 + 1)], dtype=torch.float64)
    step = edges[1]
    weights = (1 - (heard - edges[1:-1, None]).abs() / step).clamp(min=0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(device)


def _mel(hertz: float) -> float:
    """The mel scale of HTK."""
    return 2595 * math.log10(1 + hertz / 700)


def _hertz(mel: float) -> float:
    return 700 * (10 ** (mel / 2595) - 1)
