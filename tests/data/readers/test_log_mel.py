"""Both readers of sound give log mel bands as they give log spectrograms, from sound of any rate."""

import pickle
import struct

import media
import numpy as np
import pytest
import torch

from egonorm.data.readers.audio import AudioReader, read_waveforms
from egonorm.data.readers.wav import WavReader
from egonorm.data.windows import Window
from egonorm.signal import LogMel


def write_wav(path, samples: np.ndarray, rate: int):
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32)
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_from_a_video_file(tmp_path):
    media.write_sound(tmp_path / "it.mp4", media.chirp(6, 48000, 2), 48000, "aac")
    reader = pickle.loads(pickle.dumps(AudioReader(tmp_path, LogMel())))
    found = reader("it.mp4", [Window(2.5, 3.5)])[0]
    assert LogMel()(found).shape == (1, 96, 100)
    assert torch.equal(found, read_waveforms(tmp_path / "it.mp4", [3.0 - 103424 / 44100 / 2], 103424, 44100)[0])


def test_from_a_wav_file_of_its_rate(tmp_path):
    samples = media.chirp(6, 44100)[0]
    write_wav(tmp_path / "it.wav", samples, 44100)
    first = round((3.0 - 103424 / 44100 / 2) * 44100)
    shown = WavReader(tmp_path, LogMel())("it.wav", [Window(2.5, 3.5), Window(0.0, 0.1)])
    expected = np.stack([samples[first : first + 103424], samples[:103424]])
    assert torch.equal(shown, torch.from_numpy(expected).float())


@pytest.mark.parametrize("rate", [24000, 48000])
def test_a_wav_file_of_another_rate_is_resampled(tmp_path, rate):
    for name, of in {"own": 44100, "other": rate}.items():
        write_wav(tmp_path / f"{name}.wav", media.chirp(6, of)[0], of)
    own, other = (
        LogMel()(WavReader(tmp_path, LogMel())(f"{name}.wav", [Window(2.5, 3.5)])[0]) for name in ("own", "other")
    )
    heard = own[0, :60]  # up to 7 kHz: below half of either rate
    assert (other[0, :60] - heard).abs().max() < 0.02
