"""The spectrogram: against librosa, and in batches."""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.case import Bench, case
from benchmarks.record import Record, Skip, at_least
from benchmarks.timing import alternate, ratio, threads, told
from egonorm.signal import Spectrogram

CLIPS = 32


def librosa_spectrogram(look: Spectrogram):
    """The same by librosa, as Temporal Binding Network's formula has it."""
    try:
        import librosa
    except ImportError:
        raise Skip("librosa is not installed (the extra `bench`)") from None

    def transform(waveform: np.ndarray) -> np.ndarray:
        spectrum = librosa.stft(
            waveform,
            n_fft=look.num_fft,
            hop_length=look.hop,
            win_length=look.window,
            window="hann",
            pad_mode="constant",
        )
        return np.log(np.real(spectrum * np.conj(spectrum)) + look.floor)

    return transform


@case(quick=True)
def spectrogram_over_librosa(bench: Bench) -> Iterator[Record]:
    """One clip after the other on one core; and ours on a batch, as training makes it."""
    look = Spectrogram()
    waveforms = torch.randn(CLIPS, look.num_samples, generator=torch.Generator().manual_seed(0)) * 0.1
    theirs, arrays = librosa_spectrogram(look), waveforms.numpy()
    difference = float((look(waveforms[0])[0] - torch.as_tensor(theirs(arrays[0]))).abs().max())
    actions = {
        "librosa": lambda: [theirs(array) for array in arrays],
        "ours": lambda: [look(waveform) for waveform in waveforms],
        "ours, in a batch": lambda: look(waveforms),
    }
    with threads(1):
        times = alternate(actions, 4 * bench.repeats)
    detail = f"{told(times, CLIPS, 'ms')} a clip; values differ by {difference:.0e} at most"
    for name, goal in {"ours": at_least(2), "ours, in a batch": None}.items():
        yield Record(
            f"spectrogram-{'clip' if goal else 'batch'}-over-librosa",
            f"spectrogram, one core, {name}, over librosa",
            ratio(times, "librosa", name),
            goal,
            detail=detail,
        )
