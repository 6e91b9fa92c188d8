"""What a kitchen sounds like: its materials, its reverberation, what hums and blows in it, and the microphone."""

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
from scipy import signal

from egonorm.data.sets.synthetic.factors import between, draw_factors, one_of

SAMPLE_RATE = 48_000


@dataclass(frozen=True)
class Room:
    """The audible factors of a kitchen; frequencies are in Hz, levels are amplitudes where full scale is 1."""

    board_tone: float = between(220.0, 950.0)  # the knock of a knife
    board_decay: float = between(0.012, 0.045)  # seconds
    vessel_tone: float = between(700.0, 3200.0)  # a bowl, a cup, a glass when touched
    vessel_decay: float = between(0.03, 0.3)  # plastic is short, metal and glass are long
    hinge_tone: float = between(350.0, 1300.0)  # the creak of a door
    door_tone: float = between(55.0, 150.0)  # its bang
    tap_low: float = between(250.0, 900.0)  # the band of running water
    tap_high: float = between(3500.0, 11000.0)
    reverberation: float = between(0.15, 0.9)  # seconds until it has fallen by 60 dB
    reverberation_level: float = between(0.15, 0.7)
    hum: float = one_of(50.0, 60.0)
    hum_level: float = between(0.0002, 0.006)
    fan_level: float = between(0.0003, 0.008)
    fan_tilt: float = between(0.4, 1.4)  # 0 is white, 1 is pink
    microphone_low: float = between(30.0, 220.0)
    microphone_high: float = between(3800.0, 15000.0)
    microphone_noise: float = between(0.0001, 0.0015)
    gain: float = between(0.35, 1.3)


def draw_room(seed: int, kitchen: int) -> Room:
    """The room of a kitchen."""
    return draw_factors(Room, seed, kitchen, 0)


def heard(dry: np.ndarray, room: Room, rng: np.random.Generator) -> np.ndarray:
    """What the microphone records while `dry` sounds in the room: as many samples, within -1..1."""
    wet = signal.oaconvolve(dry, _response(room), mode="full")[: len(dry)]
    seconds = np.arange(len(dry), dtype=np.float32) / SAMPLE_RATE
    harmonics = zip((1, 2, 3, 5), (1.0, 0.6, 0.35, 0.2), strict=True)
    hum = sum(level * np.sin(2 * np.pi * room.hum * order * seconds + order) for order, level in harmonics)
    sound = wet + room.hum_level * hum + room.fan_level * _fan(len(dry), room, rng)
    band = signal.butter(2, (room.microphone_low, room.microphone_high), "bandpass", fs=SAMPLE_RATE, output="sos")
    sound = room.gain * signal.sosfilt(band, sound) + room.microphone_noise * rng.standard_normal(len(dry))
    return np.tanh(sound).astype(np.float32)


def _fan(length: int, room: Room, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit power whose spectrum falls with the room's tilt; a second of it goes round and round."""
    spectrum = np.fft.rfft(rng.standard_normal(SAMPLE_RATE))
    frequency = np.maximum(np.arange(len(spectrum)), 30.0)
    noise = np.fft.irfft(spectrum / frequency**room.fan_tilt)
    return np.resize(noise / noise.std(), length)


@lru_cache(maxsize=4)
def _response(room: Room) -> np.ndarray:
    """The impulse response: the direct sound, then dull noise that dies away."""
    address = [int(1e6 * value) for value in asdict(room).values()]
    length = int(SAMPLE_RATE * room.reverberation)
    noise = np.random.default_rng(address).standard_normal(length)
    noise *= np.exp(-6.9 * np.arange(length) / length)
    noise = signal.lfilter([0.35], [1, -0.65], noise)
    noise[: int(0.004 * SAMPLE_RATE)] = 0
    response = room.reverberation_level * noise / np.sqrt((noise**2).sum())
    response[0] = 1
    return response.astype(np.float32)
