"""Log mel bands: their shape, Essentia's values for a fixed signal, and their behaviour on simple sounds."""

import numpy as np
import pytest
import torch

from egonorm.signal import LogMel


def fixed_signal(num_samples: int) -> torch.Tensor:
    """A sweep, a tone, a knock and a hiss, without randomness."""
    n = np.arange(num_samples)
    t = n / 44100
    sweep = 0.4 * np.sin(2 * np.pi * (200 * t + 4000 * t**2))
    tone = 0.1 * np.sin(2 * np.pi * 6000 * t)
    knock = 0.5 * np.exp(-200 * np.abs(t - 0.5)) * np.sin(2 * np.pi * 900 * t)
    hiss = 0.02 * np.sin(0.7 * n**2.0)
    return torch.from_numpy(sweep + tone + knock + hiss).float()


def tone(hertz: float, num_samples: int = 103424) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hertz * torch.arange(num_samples) / 44100)


def test_a_window_is_100_frames_that_lie_inside_it():
    look = LogMel()
    assert look.num_samples == 103424 == 99 * 1024 + 2048
    assert look(fixed_signal(103424)).shape == (1, 96, 100) == (1, *look.shape)
    assert LogMel(seconds=0.5, num_fft=512, hop=256, num_mels=32).shape == (32, (22050 - 512) // 256 + 1)
    later = LogMel()(fixed_signal(103424 + 1024))[..., 1:]
    torch.testing.assert_close(LogMel()(fixed_signal(103424 + 1024)[1024:]), later)


def test_silence_is_zero():
    assert not LogMel()(torch.zeros(103424)).any()


def test_a_click_has_the_same_power_in_every_band():
    """Its spectrum is flat, and the weights of every triangle sum to 1."""
    click = torch.zeros(103424)
    click[10 * 1024 + 1023] = 0.5
    expected = np.log10(10000 * 0.25 + 1) / 9.457798957824707
    torch.testing.assert_close(LogMel()(click)[0, :, 10], torch.full((96,), float(expected)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("hertz", [100.0, 440.0, 3000.0, 12000.0])
def test_a_tone_peaks_in_its_band_low_bands_first(hertz):
    mel = 2595 * np.log10(1 + hertz / 700)
    band = round(mel / (2595 * np.log10(1 + 22050 / 700)) * 97) - 1
    assert LogMel()(tone(hertz))[0].mean(dim=1).argmax() == band


def test_the_level_of_the_sound_counts():
    quiet, loud = (LogMel()(level * tone(440))[0].max() for level in (0.01, 1.0))
    assert loud - quiet == pytest.approx(4 / 9.457798957824707, abs=1e-3)  # a factor of 100 is 10^4 in power


ESSENTIA_FRAMES = (0, 1, 21, 35, 50, 65, 80, 99)
ESSENTIA = (
    (0, (0.35440, 0.33038, 0.30413, 0.32327, 0.31355, 0.34304, 0.34588, 0.24819)),
    (1, (0.33423, 0.25207, 0.33573, 0.33418, 0.32746, 0.35298, 0.31997, 0.25328)),
    (5, (0.49408, 0.24806, 0.38020, 0.34340, 0.34394, 0.35302, 0.32098, 0.28629)),
    (12, (0.83636, 0.66368, 0.38322, 0.32502, 0.31322, 0.33820, 0.33816, 0.32989)),
    (20, (0.35680, 0.51178, 0.58533, 0.32130, 0.33116, 0.31947, 0.34757, 0.32417)),
    (30, (0.31456, 0.28308, 0.35868, 0.35506, 0.34681, 0.35744, 0.29763, 0.32026)),
    (40, (0.32373, 0.33304, 0.35821, 0.34713, 0.33456, 0.34890, 0.31764, 0.32535)),
    (50, (0.34533, 0.33490, 0.33100, 0.32980, 0.33303, 0.34182, 0.33629, 0.28483)),
    (60, (0.33134, 0.31130, 0.35028, 0.33934, 0.33690, 0.34603, 0.32923, 0.31773)),
    (70, (0.32943, 0.32862, 0.34537, 0.34178, 0.33951, 0.33922, 0.33339, 0.34489)),
    (80, (0.35071, 0.34802, 0.30637, 0.31899, 0.33126, 0.72652, 0.34776, 0.31970)),
    (90, (0.32909, 0.32906, 0.34557, 0.34293, 0.34006, 0.34022, 0.33197, 0.34439)),
    (95, (0.33907, 0.33829, 0.33380, 0.33444, 0.33602, 0.33535, 0.33893, 0.33517)),
)
"""`log10(10000 * bands + 1) / 9.457798957824707` of the fixed signal: the band, then the values at `ESSENTIA_FRAMES`.

From Essentia 2.1b6 (FrameCutter from zero, Windowing "hann" that is not normalised, Spectrum, MelBands with "htkMel",
"warping", "unit_sum" and "power"). Over all bands and frames the largest difference from LogMel was 5.3e-6, of its triangles
from Essentia's 7e-7. librosa 0.11 (melspectrogram with htk, norm=1, center=False) differs by up to 7.9e-4, 1.0e-4 on average:
its triangles are straight on the scale of hertz, and its window is periodic; with librosa's STFT under Essentia's window and
triangles the difference was 5.3e-6.
"""


def test_equals_essentias_values():
    found = LogMel()(fixed_signal(103424))[0]
    for band, values in ESSENTIA:
        torch.testing.assert_close(found[band, list(ESSENTIA_FRAMES)], torch.tensor(values), atol=2e-5, rtol=0)


@pytest.mark.parametrize("band", [5, 30, 90])
def test_a_tone_at_a_bands_frequency_is_loudest_in_that_band(band):
    look = LogMel()
    assert len(look.frequencies) == 96 and look(tone(look.frequencies[band]))[0].mean(dim=1).argmax() == band
