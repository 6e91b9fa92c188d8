"""Sound of media files: every window is the same part of the whole track, in time with the picture."""

import pickle
import random
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
import pytest
import torch

from egonorm.core import DataError
from egonorm.data.readers.audio import AudioReader, read_waveforms
from egonorm.data.readers.video import read_frames
from egonorm.data.windows import Window
from egonorm.signal.spectrogram import Spectrogram

REAL = Path(__file__).resolve().parents[3].parent / "shared/data/media"
RATE = 24000
FILES = {
    "aac.mp4": ("aac", 48000),
    "aac.mkv": ("aac", 44100),
    "aac.ts": ("aac", 48000),
    "opus.mkv": ("libopus", 48000),
    "opus.ogg": ("libopus", 48000),
    "mp3.mp3": ("libmp3lame", 44100),
    "mp3.mkv": ("libmp3lame", 44100),
    "pcm.mov": ("pcm_s16le", 32000),
    "pcm.wav": ("pcm_u8", 16000),
    "flac.flac": ("flac", 24000),
}
DELAY = {"aac.ts": 0.03}
"""Formats that do not say how many samples the encoder put before the first (two AAC frames at most)."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    for name, (codec, rate) in FILES.items():
        media.write_sound(folder / name, media.chirp(8, rate, 2), rate, codec)
    return folder


def whole_track(path: Path) -> np.ndarray:
    """The whole track decoded and resampled in one go, its first sample at the container's start."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE, options={"rematrix_maxval": "1"})
    with av.open(path) as container:
        frames = [*container.decode(audio=0), None]
        first = frames[0].pts * frames[0].time_base - Fraction(container.start_time or 0, av.time_base)
        pieces = [piece.to_ndarray()[0] for frame in frames for piece in resampler.resample(frame)]
    return np.concatenate([np.zeros(round(first * RATE), np.float32), *pieces])


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_windows_are_parts_of_the_whole_track(folder, name):
    whole, draw, size = whole_track(folder / name), random.Random(name), 6000
    for start in [0.0, 0.01, 0.41, *(draw.uniform(0, 7.6) for _ in range(12))]:
        first = min(round(start * RATE), len(whole) - size)
        found = read_waveforms(folder / name, [start], size, RATE)[0]
        assert found.numpy() == pytest.approx(whole[first : first + size], abs=2e-3), start


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_window_sounds_as_what_was_recorded_then(folder, name):
    recorded = media.chirp(8, RATE)[0]
    found = read_waveforms(folder / name, [4.0], 12000, RATE)[0].numpy()
    lags = range(-800, 801)
    scores = [found @ recorded[96000 + lag : 108000 + lag] for lag in lags]
    assert abs(lags[int(np.argmax(scores))]) / RATE <= DELAY.get(name, 1e-4)


@pytest.mark.parametrize("name", ["aac.mp4", "mp3.mp3", "opus.mkv"])
def test_windows_at_the_edges_are_moved_inside(folder, name):
    whole = whole_track(folder / name)
    before = read_waveforms(folder / name, [-3.0], 6000, RATE)[0]
    assert torch.equal(before, read_waveforms(folder / name, [0.0], 6000, RATE)[0])
    for start in (7.9, 8.5, 100.0):
        after = read_waveforms(folder / name, [start], 6000, RATE)[0].numpy()
        assert after[:5900] == pytest.approx(whole[-6000:][:5900], abs=2e-3)
        assert np.abs(after[:5000]).max() > 0.3


def test_only_a_medium_that_is_too_short_is_padded(tmp_path):
    media.write_sound(tmp_path / "short.wav", media.chirp(0.5, RATE), RATE, "pcm_s16le")
    waveform = read_waveforms(tmp_path / "short.wav", [0.2], 24000, RATE)[0].numpy()
    assert waveform[:12000] == pytest.approx(media.chirp(0.5, RATE)[0], abs=1e-4)
    assert not waveform[12000:].any()


def test_channels_are_averaged(tmp_path):
    left, right = media.chirp(1, RATE)[0], np.full(RATE, 0.25, np.float32)
    media.write_sound(tmp_path / "two.mov", np.stack([left, right]), RATE, "pcm_s16le")
    found = read_waveforms(tmp_path / "two.mov", [0.25], 12000, RATE)[0].numpy()
    assert found == pytest.approx((left + right)[6000:18000] / 2, abs=1e-4)


def test_a_pause_in_the_timestamps_is_silence(tmp_path):
    with av.open(tmp_path / "pause.mkv", "w") as container:
        stream = media.add_sound(container, RATE, codec="pcm_s16le")
        media.mux_sound(container, stream, media.chirp(1, RATE), RATE, step=1200)
        media.mux_sound(container, stream, media.chirp(1, RATE), RATE, first=2 * RATE, step=1200)
    for start in (0.7, 0.9, 1.5):
        found = read_waveforms(tmp_path / "pause.mkv", [start], 36000, RATE)[0].numpy()
        expected = np.concatenate([media.chirp(1, RATE)[0], np.zeros(RATE), media.chirp(1, RATE)[0]])
        assert found == pytest.approx(expected[round(start * RATE) :][:36000], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["both.mp4", "both.mkv", "both.ts"])
def test_flash_and_click_come_together(tmp_path, name):
    """A white picture and a burst at 1, 2 and 3 s; the sound of the transport stream is late by AAC's priming."""
    pictures = [np.full((120, 160, 3), 255 * (k % 30 == 0 and k > 0), np.uint8) for k in range(120)]
    sound = np.zeros((1, 4 * 48000), np.float32)
    for second in (1, 2, 3):
        sound[0, second * 48000 : second * 48000 + 480] = 0.9
    codec = {"both.ts": "libmp3lame", "both.mkv": "libopus"}.get(name, "aac")
    with av.open(tmp_path / name, "w") as container:
        video, audio = media.add_video(container, Fraction(1, 30)), media.add_sound(container, 48000, codec=codec)
        media.mux_sound(container, audio, sound, 48000, first=96000)
        for number, picture in enumerate(pictures):
            container.mux(video.encode(media.as_frame(picture, 60 + number, Fraction(1, 30))))
        container.mux(video.encode(None) + audio.encode(None))
    for second in (1, 2, 3):
        times = np.arange(second - 0.1, second + 0.1, 0.001)
        bright = read_frames(tmp_path / name, times.tolist()).float().mean(dim=(1, 2, 3)) > 128
        flash = times[int(bright.int().argmax())]
        loud = read_waveforms(tmp_path / name, [second - 0.1], 4800, RATE)[0].abs() > 0.45
        click = second - 0.1 + int(loud.int().argmax()) / RATE
        assert abs(flash - click) < (0.03 if name == "both.ts" else 0.005), (flash, click)


def test_the_reader_centres_its_window_and_examines(folder):
    reader = pickle.loads(pickle.dumps(AudioReader(folder, Spectrogram())))
    found = reader("aac.mp4", [Window(3.0, 3.5)])[0]
    assert found.shape == (30696,)
    expected = read_waveforms(folder / "aac.mp4", [3.25 - 1.279 / 2], 30696, RATE)[0]
    assert torch.equal(found, expected)
    for name in FILES:
        assert reader.examine(name) == pytest.approx(8.0, abs=0.06)
        assert reader.examine(name, thorough=True) == pytest.approx(8.0, abs=0.06)


def test_a_video_without_sound_is_named(tmp_path):
    media.write_video(tmp_path / "mute.mp4", range(10))
    for ask in (lambda reader: reader("mute.mp4", [Window(0.0, 1.0)])[0], lambda reader: reader.examine("mute.mp4")):
        with pytest.raises(DataError, match=r"mute\.mp4 is a video without sound") as caught:
            ask(AudioReader(tmp_path, Spectrogram()))
        assert caught.value.got == "streams of the kind video"
        assert caught.value.expected == "a media file with audio"
        assert "Leave this modality out" in caught.value.remedy


@pytest.mark.parametrize(("make", "got"), [(lambda path: None, "no such file"), (Path.mkdir, "a folder")])
def test_what_is_no_sound_is_named(tmp_path, make, got):
    make(tmp_path / "it.wav")
    with pytest.raises(DataError, match=r"it\.wav cannot be read") as caught:
        AudioReader(tmp_path, Spectrogram())("it.wav", [Window(0.0, 1.0)])
    assert caught.value.got == got


def test_a_truncated_file_says_both_lengths(tmp_path):
    path = media.write_sound(tmp_path / "cut.mkv", media.chirp(6, 48000), 48000)
    media.cut_off(path, 0.5)
    with pytest.raises(DataError, match=r"cut\.mkv is truncated") as caught:
        AudioReader(tmp_path, Spectrogram()).examine("cut.mkv")
    assert caught.value.got.startswith("audio up to ")
    assert caught.value.expected.startswith("6.0")


def test_a_corrupt_place_is_named_and_the_rest_can_be_read(tmp_path, capfd):
    path = media.write_sound(tmp_path / "bad.mp4", media.chirp(6, 48000), 48000)
    second = media.spoil(path, 3.0, "audio")
    reader = AudioReader(tmp_path, Spectrogram())
    assert reader.examine("bad.mp4") == pytest.approx(6.0, abs=0.03)
    for ask in (lambda: reader("bad.mp4", [Window(2.8, 3.2)])[0], lambda: reader.examine("bad.mp4", thorough=True)):
        with pytest.raises(DataError, match=rf"bad\.mp4 cannot be decoded at {second:.3f} s"):
            ask()
    assert reader("bad.mp4", [Window(1.0, 1.2)])[0].isfinite().all()
    assert reader("bad.mp4", [Window(5.0, 5.2)])[0].isfinite().all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "seconds"), [("flipping_a_pancake.mkv", 10.38), ("nasa_13013.mp4", 13.06)])
def test_real_files(name, seconds):
    if not (REAL / name).exists():
        pytest.skip(f"{REAL / name} is not on this machine")
    reader = AudioReader(REAL, Spectrogram())
    assert reader.examine(name, thorough=True) == pytest.approx(seconds, abs=0.03)
    loud = Spectrogram()(reader(name, [Window(5.0, 5.5)]))[0]
    assert loud.shape == (1, 256, 256)
    assert loud.max() > -2


def test_real_video_without_sound():
    if not (REAL / "arm_wrestling.mp4").exists():
        pytest.skip(f"{REAL} is not on this machine")
    with pytest.raises(DataError, match="without sound"):
        AudioReader(REAL, Spectrogram()).examine("arm_wrestling.mp4")
