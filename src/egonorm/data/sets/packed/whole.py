"""All that a medium holds, from its beginning to its end, of every kind of reader: what packing asks for."""

from collections.abc import Iterator
from functools import partial, singledispatch

import torch
from jaxtyping import Float
from torch import Tensor

from egonorm.data.readers.audio import AudioReader, count_samples, read_waveforms
from egonorm.data.readers.flow import FlowReader
from egonorm.data.readers.image_sequence import Colours, FrameReader, PictureIndex, open_pictures, resize
from egonorm.data.readers.io.container import open_track
from egonorm.data.readers.io.video_decode import decode_packets, tick_of
from egonorm.data.readers.protocol import Reader
from egonorm.data.readers.timed_images import ONE, PAIR, Picture, Shot, TimedReader, open_timed
from egonorm.data.readers.video import VideoReader, pictures_of
from egonorm.data.readers.wav import WavReader, open_wav

PIECE = 60
"""Seconds of sound that are in memory at once."""


@singledispatch
def shots_of(reader: Reader, media: str) -> Iterator[Shot]:
    """Every picture of a medium, scaled down to the reader's shorter side if that is smaller, never enlarged.

    JPEG pictures that need no scaling are given as they are stored.

    Raises:
        DataError: where the medium is missing or broken.
    """
    raise NotImplementedError(f"{type(reader).__name__} shows no pictures.")


@shots_of.register(VideoReader)
def _of_video(reader: VideoReader, media: str) -> Iterator[Shot]:
    with open_track(reader.root / media, "video") as track:
        for frame in decode_packets(track, track.packets(), jumped=False):
            short = min(reader.short_side or frame.height, frame.height, frame.width)
            yield Shot(track.seconds(tick_of(frame)), partial(_decoded, frame, short))


@shots_of.register(FrameReader)
def _of_pictures(reader: FrameReader, media: str) -> Iterator[Shot]:
    reader.examine(media)
    pictures = open_pictures(reader.root / media)
    for tick in range(pictures.length):
        yield Shot(tick / reader.rate, partial(_stored, [pictures], tick, "RGB", reader.short_side))


@shots_of.register(FlowReader)
def _of_flow(reader: FlowReader, media: str) -> Iterator[Shot]:
    reader.examine(media)
    halves = reader.halves(media)
    for tick in range(halves[0].length):
        yield Shot(reader.time_of(tick), partial(_stored, halves, tick, "GRAY", reader.short_side), PAIR)


@shots_of.register(TimedReader)
def _of_timed(reader: TimedReader, media: str) -> Iterator[Shot]:
    timed = open_timed(reader.root / media)
    series, times = timed.series(), timed.index["time"][:-1].tolist()
    timed.rows_at(times)
    for row, time in enumerate(times):
        taken = partial(_stored, series, row, timed.colours, reader.short_side)
        yield Shot(time, taken, ONE if len(series) == 1 else PAIR)


def _decoded(frame, short_side: int) -> tuple[Picture, ...]:
    return (pictures_of([frame], short_side)[0].numpy(),)


def _stored(series: list[PictureIndex], tick: int, colours: Colours, short_side: int | None) -> tuple[Picture, ...]:
    """The stored picture of each series as it is, or smaller."""
    return tuple(_fitted(pictures, tick, colours, short_side) for pictures in series)


def _fitted(pictures: PictureIndex, tick: int, colours: Colours, short_side: int | None) -> Picture:
    number = pictures.number_at(tick)
    decoded = pictures.decode([number], colours)
    if short_side is None or short_side >= min(decoded.shape[1:3]):
        ((_, data),) = pictures.read([number])
        return data
    return resize(torch.from_numpy(decoded), short_side)[0].numpy()


@singledispatch
def sound_of(reader: Reader, media: str) -> Iterator[Float[Tensor, " sample"]]:
    """The whole sound of a medium at the reader's rate, piece by piece.

    Raises:
        DataError: where the medium is missing or broken.
    """
    raise NotImplementedError(f"{type(reader).__name__} has no sound.")


@sound_of.register(AudioReader)
def _of_track(reader: AudioReader, media: str) -> Iterator[Float[Tensor, " sample"]]:
    path, rate = reader.root / media, reader.look.rate
    number, step = count_samples(path, rate), PIECE * rate
    for first in range(0, number, step):
        yield read_waveforms(path, [first / rate], min(step, number - first), rate)[0]


@sound_of.register(WavReader)
def _of_wav(reader: WavReader, media: str) -> Iterator[Float[Tensor, " sample"]]:
    wav = open_wav(reader.root / media)
    if wav.rate != reader.look.rate:
        yield from _of_track(AudioReader(reader.root, reader.look), media)
        return
    for first in range(0, wav.num_samples, PIECE * wav.rate):
        yield torch.from_numpy(wav.read(first, min(first + PIECE * wav.rate, wav.num_samples)))
