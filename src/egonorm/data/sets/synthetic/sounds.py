"""How each verb sounds before the room: a waveform as long as the act, in step with its motion."""

import numpy as np
from scipy import signal

from egonorm.data.sets.synthetic.factors import generator
from egonorm.data.sets.synthetic.motions import filling, running, swing
from egonorm.data.sets.synthetic.rooms import SAMPLE_RATE, Room
from egonorm.data.sets.synthetic.verbs import WORK, Act


def sound(act: Act, room: Room) -> np.ndarray:
    """The waveform of an act, float32, 48 kHz."""
    rng = generator(*act.address, "sound")
    dry = act.level * _SOUNDS[act.verb](act, room, rng)
    fade = np.minimum(np.arange(len(dry)) / 480, 1.0)
    return (dry * fade * fade[::-1]).astype(np.float32)


def _phases(act: Act) -> np.ndarray:
    length = round(act.seconds * SAMPLE_RATE)
    return np.arange(length) / length


def _band(noise: np.ndarray, low: float, high: float) -> np.ndarray:
    filtered = signal.sosfilt(signal.butter(2, (low, high), "bandpass", fs=SAMPLE_RATE, output="sos"), noise)
    return filtered / max(filtered.std(), 1e-9)


def _strike(tone: float, decay: float, rng: np.random.Generator,
            modes: tuple[float, ...] = (1.0, 2.71, 5.15)) -> np.ndarray:  # fmt: skip
    """Something is struck: modes that ring and die away, after a click of two milliseconds."""
    time = np.arange(int(SAMPLE_RATE * min(7 * decay, 1.0) + 480)) / SAMPLE_RATE
    ring = sum(np.exp(-time * (1 + 0.4 * order) / decay) * np.sin(2 * np.pi * tone * mode * time) / (1 + order)
               for order, mode in enumerate(modes) if tone * mode < 16_000)  # fmt: skip
    return ring + 0.5 * rng.standard_normal(len(time)) * np.exp(-time / 0.002)


def _place(dry: np.ndarray, phase: float, event: np.ndarray) -> None:
    """Add an event to a waveform at a phase; what lasts longer than the waveform is cut."""
    start = int(phase * len(dry))
    dry[start : start + len(event)] += event[: max(len(dry) - start, 0)]


def _rustle(act: Act, rng: np.random.Generator) -> np.ndarray:
    """Cloth that moves with the arm: hardly audible."""
    phases = _phases(act)
    return 0.006 * _band(rng.standard_normal(len(phases)), 700, 3500) * np.sin(np.pi * phases) ** 2


def _take(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _rustle(act, rng)
    if act.clink > 0.6:
        _place(dry, 0.44, 0.02 * _strike(room.vessel_tone * act.pitch, room.vessel_decay, rng))
    return dry


def _put(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _rustle(act, rng)
    _place(dry, 0.54, 0.09 * _strike(130 * act.pitch, 0.03, rng, (1.0, 1.6)))
    if act.clink > 0.6:
        _place(dry, 0.54, 0.02 * _strike(room.vessel_tone * act.pitch, room.vessel_decay, rng))
    return dry


def _creak(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    """A hinge that sticks and slips: pulses through a resonance, both higher the wider the door is open."""
    phases = _phases(act)
    opened = np.array([swing(act, float(phase)) for phase in phases[::480]])
    opened = np.interp(phases, phases[::480], opened)
    speed = np.abs(np.gradient(opened)) * len(phases)
    rate = (45 + 110 * opened) * (1 + 0.12 * _band(rng.standard_normal(len(phases)), 2, 12))
    turns = np.cumsum(np.maximum(rate, 5)) / SAMPLE_RATE
    pulses = np.diff(np.floor(turns), prepend=0.0)
    tone = room.hinge_tone * act.pitch
    voices = [(1 - opened, 0.75), (opened, 1.6)]  # crossfade from a low resonance to a high one
    creak = sum(part * signal.lfilter(*signal.iirpeak(tone * factor, 9, fs=SAMPLE_RATE), pulses)
                for part, factor in voices)  # fmt: skip
    return 5.0 * creak * np.minimum(speed, 1.0)


def _open(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _creak(act, room, rng)
    _place(dry, 0.215, 0.28 * _strike(1900 * act.pitch, 0.008, rng))
    _place(dry, 0.235, 0.2 * _strike(700 * act.pitch, 0.012, rng))
    return dry


def _close(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _creak(act, room, rng)
    _place(dry, 0.8, 0.9 * _strike(room.door_tone * act.pitch, 0.07, rng, (1.0, 1.83, 3.4, 5.2)))
    noise = rng.standard_normal(SAMPLE_RATE // 3) * np.exp(-np.arange(SAMPLE_RATE // 3) / (0.03 * SAMPLE_RATE))
    _place(dry, 0.8, 0.4 * _band(noise, 90, 1800) * np.exp(-np.arange(len(noise)) / (0.05 * SAMPLE_RATE)))
    return dry


def _wash(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    phases = _phases(act)
    flow = np.interp(phases, (grid := np.linspace(0, 1, 200)), [running(float(phase)) for phase in grid])
    water = _band(rng.standard_normal(len(phases)), room.tap_low, room.tap_high)
    knots = np.arange(0, len(phases) + 2400, 2400)
    gurgle = np.interp(np.arange(len(phases)), knots, rng.uniform(0.6, 1.4, len(knots)))
    rub = 1 + 0.35 * np.abs(np.sin(2 * np.pi * act.cycles * (phases - WORK[0]) / (WORK[1] - WORK[0])))
    return 0.11 * water * flow * gurgle * rub


def _cut(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    dry = _rustle(act, rng)
    for phase in act.contacts:
        loud = 0.45 * float(rng.uniform(0.7, 1.3))
        _place(dry, phase, loud * _strike(room.board_tone * act.pitch, room.board_decay, rng, (1.0, 1.7, 2.9)))
    return dry


def _mix(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    phases = _phases(act)
    start, stop = WORK
    turn = 2 * np.pi * act.cycles * (phases - start) / (stop - start)
    working = np.clip(20 * np.minimum(phases - start, stop - phases), 0, 1)
    swish = _band(rng.standard_normal(len(phases)), 900, 4200) * (0.12 + (0.5 - 0.5 * np.cos(turn)) ** 2)
    dry = 0.09 * swish * working
    for phase in act.contacts:
        for late in (0.0, 0.25):
            ring = _strike(room.vessel_tone * act.pitch * float(rng.uniform(0.97, 1.03)), room.vessel_decay, rng)
            _place(dry, phase + late * (stop - start) / act.cycles, float(rng.uniform(0.05, 0.13)) * ring)
    return dry


def _pour(act: Act, room: Room, rng: np.random.Generator) -> np.ndarray:
    """Bubbles and a column of air whose pitch rises as the glass fills."""
    phases = _phases(act)
    level = np.clip((phases - 0.28) / 0.52, 0, 1)
    pitch = 380 * act.pitch * 4.2**level
    flow = np.clip(25 * np.minimum(phases - 0.28, 0.8 - phases), 0, 1)
    flutter = 1 + 0.5 * _band(rng.standard_normal(len(phases)), 8, 40)
    column = np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) * flutter
    dry = flow * (0.07 * column + 0.012 * _band(rng.standard_normal(len(phases)), 500, 6000))
    for phase in rng.uniform(0.28, 0.79, int(60 * act.seconds)):
        tone = 380 * act.pitch * 4.2 ** filling(float(phase)) * float(rng.uniform(0.85, 1.3))
        time = np.arange(1440) / SAMPLE_RATE
        _place(dry, float(phase), 0.06 * np.exp(-time / 0.007) * np.sin(2 * np.pi * tone * (1 + 6 * time) * time))
    return dry


_SOUNDS = {"take": _take, "put": _put, "open": _open, "close": _close, "wash": _wash, "cut": _cut, "mix": _mix,
           "pour": _pour}  # fmt: skip
