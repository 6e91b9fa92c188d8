"""One MP4 file from pictures and sound, encoded in memory: H.264 with many key frames, and AAC."""

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np

from egonorm.data.sets.synthetic.rooms import SAMPLE_RATE
from egonorm.data.sets.synthetic.timeline import FRAME_RATE

ENCODER = {"preset": "veryfast", "crf": "20", "threads": "1", "g": "15", "bf": "0", "sc_threshold": "0"}
"""One thread: the same pictures give the same bytes on any number of cores. A key frame every half second."""
CHUNK = 1024
"""Samples in one packet of AAC."""


def encode(pictures: Iterable[np.ndarray], sound: np.ndarray, size: tuple[int, int]) -> bytes:
    """The file's bytes; pictures are uint8 height x width x 3, sound is float32 in -1..1."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FRAME_RATE, options=ENCODER)
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"aac_coder": "fast"})
        audio.bit_rate = 96_000
        heard = 0
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
            container.mux(video.encode(frame))
            due = min((number + 1) * SAMPLE_RATE // FRAME_RATE + CHUNK, len(sound))
            while heard < due:
                container.mux(audio.encode(_audio(sound, heard)))
                heard += CHUNK
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return file.getvalue()


def _audio(sound: np.ndarray, start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None, start : start + CHUNK]), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame
