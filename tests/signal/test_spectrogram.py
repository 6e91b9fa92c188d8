"""The spectrogram: its shape, librosa's values for a fixed signal, and its behaviour on simple sounds."""

import numpy as np
import torch

from egonorm.signal import Spectrogram


def fixed_signal(num_samples: int) -> torch.Tensor:
    """A sweep, a tone and a knock, without randomness."""
    t = np.arange(num_samples) / 24000
    sweep = 0.4 * np.sin(2 * np.pi * (200 * t + 2000 * t**2))
    tone = 0.1 * np.sin(2 * np.pi * 6000 * t)
    knock = 0.5 * np.exp(-200 * np.abs(t - 0.5)) * np.sin(2 * np.pi * 900 * t)
    return torch.from_numpy(sweep + tone + knock).float()


def test_the_papers_window_is_256_by_256():
    spectrogram = Spectrogram()
    assert spectrogram.num_samples == 30696
    assert spectrogram(fixed_signal(30696)).shape == (1, 256, 256) == (1, *spectrogram.shape)
    assert spectrogram(fixed_signal(30672)).shape == (1, 256, 256)


def test_silence_is_the_logarithm_of_the_floor():
    assert torch.allclose(Spectrogram()(torch.zeros(30696)), torch.tensor(1e-6).log())


def test_a_tone_peaks_in_its_band_low_frequencies_first():
    tone = torch.sin(2 * torch.pi * 3000 * torch.arange(30696) / 24000)
    assert Spectrogram()(tone)[0].mean(dim=1).argmax() == round(3000 / 24000 * 511)


LIBROSA_COLUMNS = (0, 1, 50, 100, 101, 180, 254, 255)
LIBROSA = (
    (0, (4.5631, -0.0516, -13.6485, -13.8141, -8.8574, -13.8155, -13.8131, -8.3270)),
    (1, (4.6703, 1.5521, -9.5092, -9.6715, -8.2536, -13.7400, -13.8145, -8.3210)),
    (7, (4.0047, 4.6901, -9.0680, -3.5301, -6.9757, -13.7633, -13.8129, -8.3156)),
    (19, (-2.0708, -7.7779, -4.6954, 6.2406, 4.9247, -13.8069, -13.8131, -8.2457)),
    (20, (-2.3179, -8.8415, -1.3976, 6.0879, 4.7391, -13.6785, -13.8103, -8.2298)),
    (33, (-5.1324, -11.8174, -3.2388, -4.6269, -9.5861, -13.3819, -13.8059, -8.0731)),
    (64, (-6.7047, -13.7438, -13.7684, -9.6975, -9.8798, -11.4563, -13.6181, -7.2880)),
    (100, (-4.0249, -13.8150, -13.8098, -11.9741, -13.7236, -12.8802, -7.7904, -4.6022)),
    (127, (2.1431, 3.4222, 3.4222, 3.4226, 3.4222, 3.4224, 3.4204, 3.4567)),
    (128, (2.1923, 3.5657, 3.5657, 3.5661, 3.5657, 3.5656, 3.5692, 3.5578)),
    (200, (-5.3075, -13.8152, -13.8154, -13.7706, -13.8148, -13.8151, -13.8128, -8.2867)),
    (255, (-5.7913, -13.8154, -13.8153, -13.8152, -13.8152, -13.8148, -13.8152, -8.6251)),
)
"""`log(|librosa.stft(x, n_fft=511, window="hann", hop_length=120, win_length=240, pad_mode="constant")|^2 + 1e-6)` of the
fixed signal, librosa 0.11.0: the frequency, then the values at `LIBROSA_COLUMNS`."""


def test_equals_librosas_values():
    found = Spectrogram()(fixed_signal(30696))[0]
    for frequency, values in LIBROSA:
        torch.testing.assert_close(found[frequency, list(LIBROSA_COLUMNS)], torch.tensor(values), atol=1e-4, rtol=0)
