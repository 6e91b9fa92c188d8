"""Media files that tests make themselves: every picture carries its number as a bar code, every sound is known."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

NUM_BARS = 10


def bar_code(number: int, width: int = 160, height: int = 120) -> np.ndarray:
    """A picture whose vertical bars are the bits of `number`, white is one; its upper right quarter is darker."""
    bits = [number >> bit & 1 for bit in range(NUM_BARS)]
    row = np.repeat(np.array(bits, dtype=np.uint8) * 200 + 40, width // NUM_BARS)
    picture = np.tile(row[:, None], (height, 1, 3))
    picture[: height // 2, width // 2 :] //= 4
    return picture


def read_bar_code(picture: np.ndarray) -> int:
    """The number in a picture of any size, from its lower half."""
    height, width = picture.shape[:2]
    columns = ((np.arange(NUM_BARS) + 0.5) * width / NUM_BARS).astype(int)
    return sum(int(bit) << place for place, bit in enumerate(picture[int(height * 0.75), columns, 0] > 128))


def write_video(
    path: Path,
    ticks: Sequence[int],
    time_base: Fraction = Fraction(1, 30),
    *,
    codec: str = "libx264",
    gop: int = 15,
    num_b_frames: int = 2,
    size: tuple[int, int] = (160, 120),
    rotation: int = 0,
    options: dict[str, str] | None = None,
    pictures: Sequence[np.ndarray] | None = None,
) -> Path:
    """Write pictures (else the bar codes 0, 1, ...) that are shown from these ticks of the clock `time_base`."""
    with av.open(path, "w", container_options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = add_video(
            container, time_base, codec=codec, gop=gop, num_b_frames=num_b_frames, size=size, options=options
        )
        if rotation:
            stream.set_display_rotation(rotation)
        for number, tick in enumerate(ticks):
            picture = bar_code(number, *size) if pictures is None else pictures[number]
            container.mux(stream.encode(as_frame(picture, tick, time_base)))
        container.mux(stream.encode(None))
    return path


def add_video(
    container,
    time_base: Fraction,
    *,
    codec: str = "libx264",
    gop: int = 15,
    num_b_frames: int = 2,
    size: tuple[int, int] = (160, 120),
    options: dict[str, str] | None = None,
):
    """Add a stream of pictures to a container that is open for writing."""
    defaults = {"preset": "veryfast", "crf": "18"} if codec.startswith("libx26") else {}
    stream = container.add_stream(codec, rate=30, options=defaults | (options or {}))
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    stream.codec_context.time_base = time_base
    stream.codec_context.gop_size = gop
    stream.codec_context.max_b_frames = num_b_frames
    stream.codec_context.thread_count = 1
    return stream


def as_frame(picture: np.ndarray, tick: int, time_base: Fraction) -> av.VideoFrame:
    """A picture as a frame that is shown from this tick on."""
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = tick, time_base
    return frame


def write_sound(path: Path, waveform: np.ndarray, rate: int, codec: str = "aac", first: int = 0) -> Path:
    """Write a waveform `[channel, sample]` in [-1, 1] whose first sample is heard at sample `first`."""
    with av.open(path, "w") as container:
        stream = add_sound(container, rate, len(waveform), codec)
        mux_sound(container, stream, waveform, rate, first)
        container.mux(stream.encode(None))
    return path


def add_sound(container, rate: int, num_channels: int = 1, codec: str = "aac"):
    """Add a sound track to a container that is open for writing."""
    return container.add_stream(codec, rate=rate, layout="mono" if num_channels == 1 else "stereo")


def mux_sound(container, stream, waveform: np.ndarray, rate: int, first: int = 0, step: int = 1024) -> None:
    """Encode a waveform `[channel, sample]` in pieces, as recorders do; the encoder is not flushed."""
    for begin in range(0, waveform.shape[1], step):
        piece = np.ascontiguousarray(waveform[:, begin : begin + step], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono" if len(waveform) == 1 else "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, first + begin, Fraction(1, rate)
        container.mux(stream.encode(frame))


def chirp(seconds: float, rate: int, num_channels: int = 1) -> np.ndarray:
    """A waveform `[channel, sample]` that sounds different at every moment: 200 Hz rising to 3 kHz."""
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * (200 * time + 1400 * time**2 / seconds))
    return np.tile(wave, (num_channels, 1)).astype(np.float32)


def shift_edit(path: Path, num_frames: int) -> None:
    """Let the edit list of an MP4 file begin so many frames later, as cameras and cutting programs do."""
    data = bytearray(path.read_bytes())
    with av.open(path) as container:
        ticks = round(num_frames / (30 * container.streams.video[0].time_base))
    at = data.index(b"elst") + 16
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + ticks).to_bytes(4, "big")
    path.write_bytes(data)


def spoil(path: Path, second: float, kind: str = "video") -> float:
    """Overwrite the packet of a stream that is shown at a second with noise; returns the second."""
    with av.open(path) as container:
        packets = [packet for packet in container.demux(container.streams.best(kind)) if packet.size]
        packet = min(packets, key=lambda packet: abs(packet.pts * packet.time_base - second))
        position, size, shown = packet.pos, packet.size, float(packet.pts * packet.time_base)
    data = bytearray(path.read_bytes())
    data[position + 5 : position + size] = np.random.default_rng(0).bytes(size - 5)
    path.write_bytes(data)
    return shown


def cut_off(path: Path, part: float) -> None:
    """Keep the first part of a file, as an interrupted copy does."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
