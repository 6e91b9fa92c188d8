"""What is heard: the sound of each verb, and a video's whole sound track."""

import numpy as np
from scipy import signal

from egonorm.data.sets.synthetic.drawing import Number
from egonorm.data.sets.synthetic.factors import generator
from egonorm.data.sets.synthetic.motions import filling, running, swing
from egonorm.data.sets.synthetic.rooms import SAMPLE_RATE, Room, draw_room, heard
from egonorm.data.sets.synthetic.timeline import FRAME_RATE, KitchenVideo
from egonorm.data.sets.synthetic.verbs import WORK, Act


def sound(act: Act, room: Room) -> np.ndarray:
    """The waveform of an act, float32, 48 kHz."""
    rng = generator(*act.address, "sound")
    dry = act.level * _SOUNDS[act.verb](act, room, rng)
    fade = np.minimum(np.arange(len(dry)) / 480, 1.0)
    return (dry * fade * fade[::-1]).astype(np.float32)


def _progress(act: Act) -> np.ndarray:
    """How far the act has come at every sample."""
    length = round(act.seconds * SAMPLE_RATE)
    return act.progress(np.arange(length) / length)


def _band(noise: np.ndarray, low: Number, high: Number) -> np.ndarray:
    filtered = signal.sosfilt(signal.butter(2, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos"), noise)
    return filtered / max(filtered.std(), 1e-9)


def _strike(
    tone: Number, decay: Number, rng: np.random.Generator, modes: tuple[float, ...] = (1.0, 2.71, 5.15)
) -> np.ndarray:
    """Something is struck: modes that ring and die away, after a click of two milliseconds."""
    time = np.arange(int(SAMPLE_RATE * min(7 * decay, 1.0) + 480)) / SAMPLE_RATE
    ring = sum(
        np.exp(-time * (1 + 0.4 * order) / decay) * np.sin(2 * np.pi * tone * mode * time) / (1 + order)
        for order, mode in enumerate(modes)
        if tone * mode < 16_000
    )
    return ring + 0.5 * rng.standard_normal(len(time)) * np.exp(-time / 0.002)


def _place(act: Act, dry: np.ndarray, progress: float, event: np.ndarray) -> None:
    """Add an event to a waveform where the act has come so far; what lasts longer than the waveform is cut."""
    start = int(act.phase(progress) * len(dry))
    dry[start : start + len(event)] += event[: max(len(dry) - start, 0)]


def _rustle(act: Act, rng: np.random.Generator) -> np.ndarray:
    """Cloth that moves with the arm: hardly audible."""
    progress = _progress(act)
    return 0.006 * _band(rng.standard_normal(len(progress)), 700, 3500) * np.sin(np.pi * progress) ** 2


def _take(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _rustle(act, rng)
    if act.clink > 0.6:
        _place(act, dry, 0.44, 0.02 * _strike(room.vessel_tone * act.pitch, room.vessel_decay, rng))
    return dry


def _put(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _rustle(act, rng)
    _place(act, dry, 0.55, 0.06 * _strike(130 * act.pitch, 0.03, rng, (1.0, 1.6)))
    if act.clink > 0.6:
        _place(act, dry, 0.55, 0.02 * _strike(room.vessel_tone * act.pitch, room.vessel_decay, rng))
    return dry


def _creak(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    """A hinge that sticks and slips: pulses through a resonance, both higher the wider the door is open."""
    progress = _progress(act)
    opened = np.array([swing(act, float(share)) for share in progress[::480]])
    opened = np.interp(progress, progress[::480], opened)
    speed = np.abs(np.gradient(opened)) * len(progress)
    rate = (45 + 110 * opened) * (1 + 0.12 * _band(rng.standard_normal(len(progress)), 2, 12))
    turns = np.cumsum(np.maximum(rate, 5)) / SAMPLE_RATE
    pulses = np.diff(np.floor(turns), prepend=0.0)
    tone = room.hinge_tone * act.pitch
    voices = [(1 - opened, 0.75), (opened, 1.6)]  # crossfade from a low resonance to a high one
    creak = sum(
        part * signal.lfilter(*signal.iirpeak(tone * factor, 9, fs=SAMPLE_RATE), pulses) for part, factor in voices
    )
    return 5.0 * creak * np.minimum(speed, 1.0)


def _open(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _creak(act, room, rng)
    _place(act, dry, 0.215, 0.28 * _strike(1900 * act.pitch, 0.008, rng))
    _place(act, dry, 0.235, 0.2 * _strike(700 * act.pitch, 0.012, rng))
    return dry


def _close(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _creak(act, room, rng)
    _place(act, dry, 0.8, 0.9 * _strike(room.door_tone * act.pitch, 0.07, rng, (1.0, 1.83, 3.4, 5.2)))
    noise = rng.standard_normal(SAMPLE_RATE // 3) * np.exp(-np.arange(SAMPLE_RATE // 3) / (0.03 * SAMPLE_RATE))
    _place(act, dry, 0.8, 0.4 * _band(noise, 90, 1800) * np.exp(-np.arange(len(noise)) / (0.05 * SAMPLE_RATE)))
    return dry


def _wash(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    progress = _progress(act)
    flow = np.interp(progress, (grid := np.linspace(0, 1, 200)), [running(float(share)) for share in grid])
    water = _band(rng.standard_normal(len(progress)), room.tap_low, room.tap_high)
    knots = np.arange(0, len(progress) + 2400, 2400)
    gurgle = np.interp(np.arange(len(progress)), knots, rng.uniform(0.6, 1.4, len(knots)))
    rub = 1 + 0.35 * np.abs(np.sin(2 * np.pi * act.cycles * (progress - WORK[0]) / (WORK[1] - WORK[0])))
    return 0.11 * water * flow * gurgle * rub


def _cut(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _rustle(act, rng)
    for moment in act.contacts:
        loud = 0.45 * float(rng.uniform(0.7, 1.3))
        _place(act, dry, moment, loud * _strike(room.board_tone * act.pitch, room.board_decay, rng, (1.0, 1.7, 2.9)))
    return dry


def _mix(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    progress = _progress(act)
    start, stop = WORK
    turn = 2 * np.pi * act.cycles * (progress - start) / (stop - start)
    working = np.clip(20 * np.minimum(progress - start, stop - progress), 0, 1)
    swish = _band(rng.standard_normal(len(progress)), 900, 4200) * (0.12 + (0.5 - 0.5 * np.cos(turn)) ** 2)
    dry = 0.09 * swish * working
    for moment in act.contacts:
        for late in (0.0, 0.25):
            ring = _strike(room.vessel_tone * act.pitch * float(rng.uniform(0.97, 1.03)), room.vessel_decay, rng)
            _place(act, dry, moment + late * (stop - start) / act.cycles, float(rng.uniform(0.05, 0.13)) * ring)
    return dry


def _pour(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    """Bubbles and a column of air whose pitch rises as the glass fills."""
    progress = _progress(act)
    level = np.clip((progress - 0.28) / 0.52, 0, 1)
    pitch = 380 * act.pitch * 4.2**level
    flow = np.clip(25 * np.minimum(progress - 0.28, 0.8 - progress), 0, 1)
    flutter = 1 + 0.5 * _band(rng.standard_normal(len(progress)), 8, 40)
    column = np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) * flutter
    dry = flow * (0.07 * column + 0.012 * _band(rng.standard_normal(len(progress)), 500, 6000))
    for moment in rng.uniform(0.28, 0.79, int(60 * act.seconds)):
        tone = 380 * act.pitch * 4.2 ** filling(float(moment)) * float(rng.uniform(0.85, 1.3))
        time = np.arange(1440) / SAMPLE_RATE
        _place(act, dry, float(moment), 0.06 * np.exp(-time / 0.007) * np.sin(2 * np.pi * tone * (1 + 6 * time) * time))
    return dry


_SOUNDS = {
    "take": _take,
    "put": _put,
    "open": _open,
    "close": _close,
    "wash": _wash,
    "cut": _cut,
    "mix": _mix,
    "pour": _pour,
}


SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE


def soundtrack(video: KitchenVideo) -> np.ndarray:
    """What is heard from the first frame to the end of the last: float32 at 48 kHz."""
    room = draw_room(*video.address[:2])
    dry = np.zeros(video.frames * SAMPLES_PER_FRAME, np.float32)
    for act, start in zip(video.acts, video.starts, strict=True):
        wave = sound(act, room)
        first = start * SAMPLES_PER_FRAME
        dry[first : first + len(wave)] += wave
    return heard(dry, room, generator(*video.address, "room"))
