"""Sound from WAV files: formats, windows at edges and in between, and what is wrong with a file."""

import math
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from egonorm.core import DataError, PartlyBrokenError
from egonorm.data.readers.audio import AudioReader
from egonorm.data.readers.wav import WavReader, open_wav
from egonorm.data.windows import Window
from egonorm.signal.spectrogram import Spectrogram

SPECTROGRAM = Spectrogram()
RATE = SPECTROGRAM.rate


def noise(num_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-20000, 20000, num_samples, dtype=np.int16)


def wav(
    data: bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = RATE,
    bits: int = 16,
    length: int | None = None,
    extensible: bool = False,
    before: bytes = b"",
    kind: bytes = b"RIFF",
    whole: int | None = None,
) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * block, block, bits)
    if extensible:
        form += struct.pack("<HHIH14s", 22, bits, 0, tag, bytes.fromhex("000000001000800000aa00389b71"))
    body = before + b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data) if length is None else length) + data
    return kind + struct.pack("<I", 4 + len(body) if whole is None else whole) + b"WAVE" + body


@pytest.fixture
def reader(tmp_path: Path) -> WavReader:
    return WavReader(tmp_path, SPECTROGRAM)


def temporal_binding_network(samples: np.ndarray, centre: int) -> np.ndarray:
    """The window of TBN's `dataset.py`, always of its longer length of 1.279 s: shifted at edges, never padded."""
    first, last = centre - 15348, centre + 15348
    if first < 0:
        return samples[:30696]
    if last > len(samples):
        return samples[-30696:]
    return samples[first:last]


@pytest.mark.parametrize("tick", [0, 1, 20, 38, 39, 60, 111, 141, 142, 150, 180])
def test_window_is_that_of_temporal_binding_network(tmp_path, reader, tick):
    samples = noise(3 * RATE)
    (tmp_path / "a.wav").write_bytes(wav(samples.tobytes()))
    expected = temporal_binding_network(samples.astype(np.float32) / 32768, tick * 400)
    shown = reader("a.wav", [Window((tick - 16) / 60, (tick + 16) / 60)])[0]
    assert torch.equal(shown, torch.from_numpy(expected))


@pytest.mark.parametrize("start", [-1.0, 0.0, 0.31, 0.9137, 1.5, 9.0])
def test_equals_the_reader_of_any_media_file(tmp_path, reader, start):
    (tmp_path / "a.wav").write_bytes(wav(noise(2 * RATE + 7).tobytes()))
    other = AudioReader(tmp_path, SPECTROGRAM)("a.wav", [Window(start, start + 32 / 60)])[0]
    torch.testing.assert_close(reader("a.wav", [Window(start, start + 32 / 60)])[0], other, rtol=0, atol=1e-6)


def test_a_short_file_is_padded_behind(tmp_path, reader):
    samples = noise(1000)
    (tmp_path / "a.wav").write_bytes(wav(samples.tobytes()))
    padded = np.zeros(30696, dtype=np.float32)
    padded[:1000] = samples / 32768
    for start in (0.0, 0.02, 5.0):
        assert torch.equal(reader("a.wav", [Window(start, start + 0.5)])[0], torch.from_numpy(padded))


FORMATS = {
    "8 bits": (1, 8, lambda x: np.round(x * 128 + 128).astype(np.uint8).tobytes(), 1 / 128),
    "16 bits": (1, 16, lambda x: np.round(x * 2**15).astype("<i2").tobytes(), 1 / 2**15),
    "24 bits": (1, 24, lambda x: np.round(x * 2**23).astype("<i4").view("u1").reshape(-1, 4)[:, :3].tobytes(), 1e-6),
    "32 bits": (1, 32, lambda x: np.round(x * 2**31).astype("<i4").tobytes(), 1e-6),
    "float": (3, 32, lambda x: x.astype("<f4").tobytes(), 1e-7),
    "double": (3, 64, lambda x: x.astype("<f8").tobytes(), 1e-7),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("extensible", [False, True])
def test_formats_and_channels(tmp_path, name, channels, extensible):
    tag, bits, encode, tolerance = FORMATS[name]
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, (50, channels))
    path = tmp_path / "a.wav"
    path.write_bytes(wav(encode(samples.ravel()), tag=tag, bits=bits, channels=channels, extensible=extensible))
    read = open_wav(path).read(10, 40)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, samples[10:40].mean(axis=1), rtol=0, atol=tolerance)


def test_extremes_are_exact(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(np.array([-32768, -1, 0, 32767], dtype="<i2").tobytes()))
    assert open_wav(path).read(0, 4).tolist() == [-1, -1 / 32768, 0, 32767 / 32768]


def test_other_chunks_are_passed_over(tmp_path, reader):
    before = b"LIST" + struct.pack("<I", 5) + b"INFOx" + b"\0"  # an odd length is followed by a zero
    (tmp_path / "a.wav").write_bytes(wav(noise(48000).tobytes(), before=before) + b"LIST\0\0\0\0")
    (tmp_path / "b.wav").write_bytes(wav(noise(48000).tobytes()))
    assert torch.equal(reader("a.wav", [Window(0.5, 1.0)])[0], reader("b.wav", [Window(0.5, 1.0)])[0])
    assert reader.examine("a.wav", thorough=True) == 2


def lengths(folder: Path, name: str = "a.wav") -> list[float]:
    """How long a file is to every reader, examined in both ways."""
    return [
        one.examine(name, thorough)
        for one in (WavReader(folder, SPECTROGRAM), AudioReader(folder, SPECTROGRAM))
        for thorough in (False, True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("length", [0, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFFFDB, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB])
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_a_length_that_was_never_filled_in_reaches_to_the_end(tmp_path, reader, length, rate):
    """0 of a recorder that lost power; 0x7FFFF000 of sox, 0x7FFFFFFF of arecord, 0xFFFFFFFF of ffmpeg that write to a pipe."""
    samples = noise(3 * rate)
    (tmp_path / "a.wav").write_bytes(
        wav(samples.tobytes(), rate=rate, length=length, whole=min(length + 36, 0xFFFFFFFF))
    )
    (tmp_path / "b.wav").write_bytes(wav(samples.tobytes(), rate=rate))
    assert lengths(tmp_path) == [3.0] * 4
    for one in (reader, AudioReader(tmp_path, SPECTROGRAM)):
        for start in (0.0, 1.2, 2.6):
            window = [Window(start, start + 0.5)]
            assert torch.equal(one("a.wav", window), one("b.wav", window))


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
def test_lengths_of_64_bits(tmp_path, reader, kind):
    samples = noise(72000)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, 144080, 144000, 72000, 0)
    (tmp_path / "a.wav").write_bytes(
        wav(samples.tobytes(), kind=kind, before=sizes, length=0xFFFFFFFF, whole=0xFFFFFFFF)
    )
    (tmp_path / "b.wav").write_bytes(wav(samples.tobytes()))
    assert lengths(tmp_path) == [3.0] * 4
    assert torch.equal(reader("a.wav", [Window(1.0, 1.5)]), reader("b.wav", [Window(1.0, 1.5)]))


def test_a_length_of_64_bits_that_was_never_filled_in_is_refused_by_all(tmp_path):
    sizes = b"ds64" + struct.pack("<IQQQI", 28, 0, 0, 0, 0)
    (tmp_path / "a.wav").write_bytes(wav(noise(72000).tobytes(), kind=b"RF64", before=sizes, length=0xFFFFFFFF))
    for one in (WavReader(tmp_path, SPECTROGRAM), AudioReader(tmp_path, SPECTROGRAM)):
        with pytest.raises(DataError, match=r"a\.wav holds no[\s\S]*ffmpeg -ignore_length 1 -i FILE -c copy NEW\.wav"):
            one.examine("a.wav")


@pytest.mark.parametrize("whole", [0, 36, 0xFFFFFFFF])
def test_the_length_of_the_whole_file_means_nothing(tmp_path, whole):
    (tmp_path / "a.wav").write_bytes(wav(noise(72000).tobytes(), whole=whole) + b"LIST\4\0\0\0INFO")
    assert lengths(tmp_path) == [3.0] * 4


def test_samples_that_look_like_a_chunk_are_samples(tmp_path):
    """What stands behind a length that was never filled in is no list of chunks."""
    samples = b"data\4\0\0\0" * 18000
    (tmp_path / "a.wav").write_bytes(wav(samples, length=0))
    assert lengths(tmp_path) == [3.0] * 4


def test_another_rate_is_resampled(tmp_path, reader):
    for name, rate in (("a", RATE), ("b", 48000)):
        tone = np.sin(2 * math.pi * 3000 * np.arange(3 * rate) / rate) * 0.5
        (tmp_path / f"{name}.wav").write_bytes(wav(np.round(tone * 32767).astype("<i2").tobytes(), rate=rate))
    a, b = (SPECTROGRAM(reader(name, [Window(1.0, 1.5)])[0]) for name in ("a.wav", "b.wav"))
    loud = a > 0
    assert loud.any()
    assert (a - b)[loud].abs().max() < 0.05
    assert reader.examine("b.wav") == 3


def test_truncated(tmp_path, reader):
    (tmp_path / "a.wav").write_bytes(wav(noise(96000).tobytes())[:-48000])
    other = AudioReader(tmp_path, SPECTROGRAM)
    late = lambda: reader("a.wav", [Window(2.5, 3.0)])  # noqa: E731
    for ask in (late, lambda: reader.examine("a.wav"), lambda: other.examine("a.wav")):
        with pytest.raises(
            PartlyBrokenError, match=r"a\.wav is truncated\.\n  got:      audio up to 3\.00 s[\s\S]*4\.00 s"
        ) as caught:
            ask()
        ((start, stop),) = caught.value.places
        assert start == pytest.approx(3.0, abs=0.2) and stop == math.inf and caught.value.seconds == 3.0
    assert torch.equal(reader("a.wav", [Window(1.0, 1.5)]), other("a.wav", [Window(1.0, 1.5)]))


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", r"begins with b''"),
        (b"ID3\x03 music", r"begins with b'ID3"),
        (b"RIFF\4\0\0\0WAVE", r"no chunk 'data'"),
        (b"RIFF\4\0\0\0WAVEdata\0\0\0\0", r"no chunk 'fmt '"),
        (b"RIFF\4\0\0\0WAVEfmt \2\0\0\0\1\0data\0\0\0\0", r"a format of 2 bytes"),
        (wav(b"\0" * 64, tag=85, bits=16), r"format 85, 16 bits"),
        (wav(b"\0" * 64, bits=12), r"12 bits"),
        (wav(b"\0" * 64, channels=0), r"0 channels"),
        (wav(b"\0" * 64, rate=0), r"rate 0"),
        (wav(b"\0" * 64, channels=30000, bits=8), r"30000 channels"),
        (wav(b"\0" * 64, rate=10**9), r"rate 1000000000"),
    ],
)
def test_what_is_no_wav_says_so(tmp_path, reader, content, got):
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.wav is no WAV file that can be read[\s\S]*{got}[\s\S]*pcm_s16le"):
        reader.examine("a.wav")


def test_missing_and_silent(tmp_path, reader):
    with pytest.raises(DataError, match=r"b\.wav cannot be opened\.\n  got:      No such file"):
        reader("b.wav", [Window(0.0, 1.0)])[0]
    (tmp_path / "a.wav").write_bytes(wav(b""))
    with pytest.raises(DataError, match=r"a\.wav holds no sound"):
        reader.examine("a.wav")


def test_thorough_finds_what_is_not_a_number(tmp_path, reader):
    samples = np.zeros(30000, dtype="<f4")
    samples[20000] = np.nan
    (tmp_path / "a.wav").write_bytes(wav(samples.tobytes(), tag=3, bits=32))
    assert reader.examine("a.wav") == 1.25
    with pytest.raises(PartlyBrokenError, match=r"samples that are not numbers") as caught:
        reader.examine("a.wav", thorough=True)
    assert caught.value.places == ((20000 / RATE, 20001 / RATE),)


def test_a_reader_travels_to_another_process(tmp_path, reader):
    (tmp_path / "a.wav").write_bytes(wav(noise(48000).tobytes()))
    assert torch.equal(
        pickle.loads(pickle.dumps(reader))("a.wav", [Window(0.0, 1.0)])[0], reader("a.wav", [Window(0.0, 1.0)])[0]
    )
