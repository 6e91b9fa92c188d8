"""A picture that stands for a video until it is played: the one in its middle."""

import io

import av
import simplejpeg
from av.error import FFmpegError


def poster(video: bytes) -> bytes:
    """The middle picture of an MP4 as JPEG; nothing for a video without pictures, or one that is damaged."""
    try:
        with av.open(io.BytesIO(video)) as container:
            pictures = list(container.decode(video=0)) if container.streams.video else []
    except (FFmpegError, ValueError):
        return b""
    if not pictures:
        return b""
    pixels = pictures[len(pictures) // 2].to_ndarray(format="rgb24")
    return simplejpeg.encode_jpeg(pixels, quality=80, colorspace="RGB")
