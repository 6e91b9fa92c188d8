"""The waveform is handed on as it is, and a spectrogram's rows are where they say."""

import pytest
import torch

from egonorm.signal import Spectrogram, Waveform


def test_the_same_samples_in_the_shape_of_what_is_looked_at():
    look = Waveform(8000, 0.25)
    sound = torch.randn(look.num_samples)
    assert look.num_samples == 2000 and look.shape == (1, 2000) and torch.equal(look(sound), sound[None, None])


@pytest.mark.parametrize(("look", "row"), [(Spectrogram(), 40), (Spectrogram(num_fft=255, hop=240), 90)])
def test_a_tone_at_a_rows_frequency_is_loudest_in_that_row(look, row):
    hertz = look.frequencies[row]
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(look.num_samples) / look.rate)
    assert len(look.frequencies) == look.shape[0] and look(tone)[0].mean(dim=1).argmax() == row
