"""A short recording in JPEG pictures and WAV, made in a second, for where the loader is measured beside a GPU."""

import os
import wave
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks.media import FPS, HEIGHT, NAME, RATE, WIDTH, Recording, picture_name

SECONDS = 40
DISTINCT = 60
"""Pictures that differ; the others are hard links to them."""


def small_recording(root: Path) -> tuple[Recording, float]:
    """The recording and its seconds: smooth noise of about the bytes a picture that EPIC-Kitchens has."""
    recording, draw = Recording(root), np.random.default_rng(0)
    folder = recording.folder / NAME
    folder.mkdir(parents=True)
    for number in range(1, SECONDS * FPS + 1):
        path = folder / picture_name(number)
        if number <= DISTINCT:
            coarse = draw.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
            fine = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)
            path.write_bytes(simplejpeg.encode_jpeg(fine, quality=75, colorsubsampling="420"))
        else:
            os.link(folder / picture_name((number - 1) % DISTINCT + 1), path)
    with wave.open(str(recording.folder / f"{NAME}.wav"), "wb") as file:
        noise = draw.normal(0, 3000, SECONDS * RATE).astype("<i2")
        file.setparams((1, 2, RATE, len(noise), "NONE", "not compressed"))
        file.writeframes(noise.tobytes())
    return recording, float(SECONDS)
