"""Reads the sound around a moment from a WAV file by memory map, so that hours of sound cost no memory."""

import struct
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from torch import Tensor

from egonorm.core import DataError, PartlyBrokenError
from egonorm.core.files import replacing
from egonorm.data.readers.audio import AudioReader, sound_reach
from egonorm.data.readers.io.container import MAX_CHANNELS, MAX_RATE
from egonorm.data.readers.io.duration import IGNORE_LENGTH, MISSING_TOLERANCE
from egonorm.data.readers.io.wav_header import find_sound
from egonorm.data.windows import Window
from egonorm.signal import SoundLook

_SAMPLES = {(1, 8): "u1", (1, 16): "<i2", (1, 24): "u1", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}
"""The NumPy type of a sample by its format tag (1: whole numbers, 3: floats) and its bits; 24 bits are three bytes."""

_EXTENSIBLE = b"\xfe\xff"


@dataclass(frozen=True)
class WavReader:
    """The sound around the middle of a window; media are WAV files below `root`."""

    LOOKED_AT: ClassVar[tuple[str, str]] = ("the header, compared with the size of the file", "every sample")

    root: Path
    look: SoundLook
    """Its rate and length are read."""

    def __call__(self, media: str, windows: Sequence[Window]) -> Float32[Tensor, "window sample"]:
        """The sound centred on each window's middle, shifted where it would pass the beginning or the end.

        As Temporal Binding Network (`dataset.py`); only a file that is shorter than a window is padded, behind.
        """
        wav = open_wav(self.root / media)
        if wav.rate != self.look.rate:
            return AudioReader(self.root, self.look)(media, windows)
        heard = np.zeros((len(windows), self.look.num_samples), dtype=np.float32)
        for row, window in zip(heard, windows, strict=True):
            first = round((window.start + window.stop - self.look.seconds) / 2 * wav.rate)
            if first + len(row) > wav.num_samples and (error := wav.truncated):
                raise error
            first = max(0, min(first, wav.num_samples - len(row)))
            samples = wav.read(first, min(first + len(row), wav.num_samples))
            row[: len(samples)] = samples
        return torch.from_numpy(heard)

    def reach(self, start: float, stop: float, seconds: float) -> tuple[float, float]:
        """From when to when it looks for the windows of a clip."""
        return sound_reach(start, stop, seconds, self.look.seconds)

    def examine(self, media: str, thorough: bool = False) -> float:
        """Seconds of sound; the header is compared with the size of the file, and `thorough` reads every sample."""
        wav, block, places = open_wav(self.root / media), 1 << 20, []
        if error := wav.truncated:
            raise error
        for first in range(0, wav.num_samples if thorough else 0, block):
            bad = np.flatnonzero(~np.isfinite(wav.read(first, min(first + block, wav.num_samples))))
            if len(bad):
                places.append(((first + int(bad[0])) / wav.rate, (first + int(bad[-1]) + 1) / wav.rate))
        if places:
            raise PartlyBrokenError(
                f"{wav.path} has samples that are not numbers.",
                got=f"NaN or infinity, the first at {places[0][0]:.3f} s",
                expected="finite samples",
                remedy="Extract the sound of this video again.",
                places=places,
                seconds=wav.seconds,
            )
        return wav.seconds


@dataclass(frozen=True)
class Wav:
    """Where the samples of a WAV file lie, and what they are."""

    path: Path
    rate: int
    num_channels: int
    bits: int
    dtype: str
    offset: int
    num_samples: int
    promised: int
    """How many samples there should be."""

    @property
    def seconds(self) -> float:
        """How long the sound is."""
        return self.num_samples / self.rate

    @property
    def truncated(self) -> PartlyBrokenError | None:
        """The error of a file that ends before its header says so."""
        if self.promised / self.rate <= self.seconds + MISSING_TOLERANCE:
            return None
        return PartlyBrokenError(
            f"{self.path} is truncated.",
            got=f"audio up to {self.seconds:.2f} s",
            expected=f"{self.promised / self.rate:.2f} s, as its header promises",
            remedy="Copy it or extract it again.",
            places=[(self.seconds, inf)],
            seconds=self.seconds,
        )

    def read(self, first: int, last: int) -> Float32[np.ndarray, " sample"]:
        """Samples from `first` up to `last` in [-1, 1], the mean of all channels."""
        values = self.bits // 8 // np.dtype(self.dtype).itemsize  # in a sample: 3 of one byte, or 1
        shape = (self.num_samples, self.num_channels, values)
        samples = np.memmap(self.path, self.dtype, "r", self.offset, shape)[first:last]
        return _to_float(samples, self.bits).mean(axis=1, dtype=np.float32)


def open_wav(path: Path) -> Wav:
    """Read the header of a WAV file, once a process for as long as the file stays unchanged."""
    try:
        status = path.stat()
        return _parse(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise DataError(
            f"{path} cannot be opened.",
            got=error.strerror,
            expected="a WAV file",
            remedy="Check the root folder of the data and the names of its files.",
        ) from None


def write_wav(path: Path, pieces: Iterable[Float32[Tensor, " sample"]], rate: int) -> None:
    """Write mono sound in [-1, 1] with 16 bits a sample; what is beyond is cut off."""
    with replacing(path) as file, wave.open(file, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        for piece in pieces:
            samples = (piece.numpy() * 32768).round().clip(-32768, 32767).astype("<i2")
            sound.writeframesraw(samples.tobytes())


def _to_float(samples: Shaped[np.ndarray, "sample channel value"], bits: int) -> Float32[np.ndarray, "sample channel"]:
    if bits == 24:  # as the upper three bytes of 32 bits
        wide = np.zeros((*samples.shape[:2], 4), dtype=np.uint8)
        wide[..., 1:] = samples
        samples = wide.view("<i4")
    samples = samples[..., 0]
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    half = np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    return samples.astype(np.float32) / half - np.float32(samples.dtype.kind == "u")


@lru_cache(maxsize=1024)
def _parse(path: Path, size: int, changed: int) -> Wav:
    try:
        chunk = find_sound(path, size)
    except ValueError as error:
        raise _not_wav(path, str(error)) from None
    rate, num_channels, bits, dtype = _parse_format(path, chunk.form)
    block = num_channels * bits // 8
    if chunk.length < block:
        raise DataError(f"{path} holds no sound.", got="0 samples", expected="at least one", remedy=IGNORE_LENGTH)
    return Wav(path, rate, num_channels, bits, dtype, chunk.offset, chunk.length // block, chunk.promised // block)


def _parse_format(path: Path, form: bytes) -> tuple[int, int, int, str]:
    """Rate, channels, bits and NumPy type; an "extensible" format has its real tag behind the usual fields."""
    if len(form) < 16 or (form[:2] == _EXTENSIBLE and len(form) < 26):
        raise _not_wav(path, f"a format of {len(form)} bytes")
    tag, num_channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", form)
    if form[:2] == _EXTENSIBLE:
        tag = struct.unpack_from("<H", form, 24)[0]
    too_large = num_channels > MAX_CHANNELS or rate > MAX_RATE
    if (tag, bits) not in _SAMPLES or block != num_channels * bits // 8 or 0 in (block, rate) or too_large:
        raise _not_wav(path, f"format {tag}, {bits} bits, {num_channels} channels in {block} bytes, rate {rate}")
    return rate, num_channels, bits, _SAMPLES[tag, bits]


def _not_wav(path: Path, got: str) -> DataError:
    return DataError(
        f"{path} is no WAV file that can be read.",
        got=got,
        expected="RIFF with PCM of 8, 16, 24 or 32 bits, or floats",
        remedy="Convert it: ffmpeg -i FILE -c:a pcm_s16le OUT.wav",
    )
