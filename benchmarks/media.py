"""What the loaders read: a recording of twenty minutes, made here: JPEG pictures, a tar file, sound, and a video."""

import os
import tarfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import simplejpeg

from egonorm.data.sets.synthetic.scene import frames
from egonorm.data.sets.synthetic.timeline import plan_videos

MINUTES, FPS, RATE = 20, 60, 24000
HEIGHT, WIDTH = 256, 456
DISTINCT = 600
"""Pictures that differ; the others are hard links to them, so that the folder has all its names and little on the disk."""
BYTES = 25_000
"""A picture of EPIC-Kitchens' is about so large; the quality is chosen to meet it."""
TAR_SECONDS, VIDEO_SECONDS, KEYFRAMES = 120, 40, 250
NAME = "P01_01"


@dataclass(frozen=True)
class Recording:
    """Where the media of one recording are, in the layout of EPIC-Kitchens that SimMMDG's loader asks for too."""

    root: Path

    @property
    def folder(self) -> Path:
        """Of `NAME`: a folder of pictures, a tar file, and a WAV file beside each other."""
        return self.root / "rgb" / "train" / "D1"

    @property
    def video(self) -> Path:
        """The beginning as H.264."""
        return self.root / "video"

    def pictures(self, numbers: Iterator[int]) -> list[bytes]:
        """The bytes of some pictures."""
        return [(self.folder / NAME / picture_name(number)).read_bytes() for number in numbers]


def picture_name(number: int) -> str:
    """The file name of a picture, counted from 1."""
    return f"frame_{number:010d}.jpg"


def make_recording(root: Path) -> Recording:
    """Make the media, unless they are there."""
    recording, done = Recording(root), root / "made"
    if not done.exists():
        (recording.folder / NAME).mkdir(parents=True, exist_ok=True)
        pictures = list(_pictures())
        _write_pictures(recording.folder / NAME, encode_pictures(pictures))
        _write_tar(recording.folder)
        _write_sound(recording.folder / f"{NAME}.wav")
        recording.video.mkdir(exist_ok=True)
        _write_video(recording.video / f"{NAME}.mp4", pictures)
        done.touch()
    return recording


def _pictures() -> Iterator[np.ndarray]:
    """A procedural kitchen, seen from a head that moves."""
    video = plan_videos(seed=0, kitchen=1, clips=24)[0]
    for picture, _ in zip(frames(video, (HEIGHT, WIDTH)), range(DISTINCT), strict=False):
        yield picture


def encode_pictures(pictures: list[np.ndarray]) -> list[bytes]:
    """The pictures as JPEG, at the quality that brings the first ones nearest to `BYTES`."""
    encode = lambda p, quality: simplejpeg.encode_jpeg(p, quality=quality, colorsubsampling="420")  # noqa: E731
    mean = lambda quality: np.mean([len(encode(p, quality)) for p in pictures[::60]])  # noqa: E731
    quality = min(range(40, 98, 3), key=lambda q: abs(mean(q) - BYTES))
    return [encode(picture, quality) for picture in pictures]


def _write_pictures(folder: Path, encoded: list[bytes]) -> None:
    """All names of the recording; the distinct pictures are shown forwards and backwards."""
    there_and_back = [*range(len(encoded)), *reversed(range(len(encoded)))]
    for number in range(1, MINUTES * 60 * FPS + 1):
        which = there_and_back[(number - 1) % len(there_and_back)] + 1
        if number <= len(encoded):
            (folder / picture_name(number)).write_bytes(encoded[number - 1])
        else:
            (folder / picture_name(number)).unlink(missing_ok=True)
            os.link(folder / picture_name(which), folder / picture_name(number))


def _write_tar(folder: Path) -> None:
    """The recording's beginning as EPIC's archives hold it."""
    with tarfile.open(folder / f"{NAME}.tar", "w", dereference=True) as tar:
        for number in range(1, TAR_SECONDS * FPS + 1):
            name = picture_name(number)
            info = tarfile.TarInfo(f"./{name}")
            with (folder / NAME / name).open("rb") as file:
                info.size = (folder / NAME / name).stat().st_size
                tar.addfile(info, file)


def _write_sound(path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 3000, MINUTES * 60 * RATE).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, len(noise), "NONE", "not compressed"))
        file.writeframes(noise.tobytes())


def _write_video(path: Path, pictures: list[np.ndarray]) -> None:
    """H.264 with a keyframe every `KEYFRAMES` frames and none between."""
    options = {
        "preset": "veryfast",
        "crf": "18",
        "g": str(KEYFRAMES),
        "keyint_min": str(KEYFRAMES),
        "sc_threshold": "0",
    }
    there_and_back = [*pictures, *reversed(pictures)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for number in range(VIDEO_SECONDS * FPS):
            frame = av.VideoFrame.from_ndarray(there_and_back[number % len(there_and_back)], format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
