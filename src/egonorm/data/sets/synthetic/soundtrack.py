"""The sound of a whole video: every act's waveform at its time, in its kitchen's room."""

import numpy as np

from egonorm.data.sets.synthetic.factors import generator
from egonorm.data.sets.synthetic.rooms import SAMPLE_RATE, draw_room, heard
from egonorm.data.sets.synthetic.sounds import sound
from egonorm.data.sets.synthetic.timeline import FRAME_RATE, Video

SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE


def soundtrack(video: Video) -> np.ndarray:
    """What is heard from the first frame to the end of the last: float32 at 48 kHz."""
    room = draw_room(*video.address[:2])
    dry = np.zeros(video.frames * SAMPLES_PER_FRAME, np.float32)
    for act, start in zip(video.acts, video.starts, strict=True):
        wave = sound(act, room)
        first = start * SAMPLES_PER_FRAME
        dry[first : first + len(wave)] += wave
    return heard(dry, room, generator(*video.address, "room"))
