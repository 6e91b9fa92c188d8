"""The eight verbs of the procedural kitchens: that they look and sound as they should."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from scipy import signal

from egonorm.data.sets.synthetic import CLASSES
from egonorm.data.sets.synthetic.looks import draw_look
from egonorm.data.sets.synthetic.motions import Hand, Thing, pose
from egonorm.data.sets.synthetic.rooms import draw_room, heard
from egonorm.data.sets.synthetic.scene import frames
from egonorm.data.sets.synthetic.sounds import sound
from egonorm.data.sets.synthetic.timeline import plan_videos
from egonorm.data.sets.synthetic.verbs import draw_act

pytestmark = pytest.mark.slow

SEED = 5


def acts(verb, count=6, kitchen=1):
    look = draw_look(SEED, kitchen)
    return [draw_act(verb, look, (SEED, kitchen, clip), -1) for clip in range(1, count + 1)]


def loudness(verb, kitchen=1):
    room = draw_room(SEED, kitchen)
    return float(np.median([np.sqrt((sound(act, room) ** 2).mean()) for act in acts(verb, kitchen=kitchen)]))


@pytest.mark.parametrize("kitchen", [1, 2, 3])
def test_taking_and_putting_are_nearly_silent(kitchen):
    quiet = max(loudness(verb, kitchen) for verb in ("take", "put"))
    assert all(loudness(verb, kitchen) > 2 * quiet for verb in CLASSES[2:])
    assert loudness("wash", kitchen) > 8 * quiet


def height(act, phase):
    """How low the knife is."""
    return next(part.y for part in pose(act, phase) if isinstance(part, Thing) and part.kind == "knife")


def test_a_knife_knocks_when_it_touches_the_board():
    for act in acts("cut"):
        wave = np.abs(sound(act, draw_room(SEED, 1)))
        for moment in act.contacts:
            at, phase = round(act.phase(moment) * len(wave)), act.phase(moment)
            assert wave[at : at + 480].max() > 5 * wave[at - 480 : at - 48].max()
            assert height(act, phase) > height(act, act.phase(moment - 0.375 / act.cycles)) + 0.05


def test_the_pitch_of_pouring_rises():
    for act in acts("pour"):
        wave = sound(act, draw_room(SEED, 1))
        early, late = (wave[(at := int(act.phase(a) * len(wave))) : at + 5000] for a in (0.3, 0.7))
        peaks = [np.argmax(signal.welch(part, 48000, nperseg=4096)[1]) * 48000 / 4096 for part in (early, late)]
        assert peaks[1] > 1.5 * peaks[0]


def test_a_door_clicks_before_it_opens_and_bangs_when_it_shuts():
    for act in acts("close"):
        wave = np.abs(sound(act, draw_room(SEED, 1)))
        assert 0.79 < act.progress(np.argmax(wave) / len(wave)) < 0.86
    for verb, early, late in (("open", 0.0, 1.75), ("close", 1.75, 0.0)):
        for act in acts(verb):
            angles = [
                next(part.angle for part in pose(act, phase) if getattr(part, "kind", "") == "door")
                for phase in (0.0, 1.0)
            ]
            assert angles == pytest.approx([early, late])


def test_putting_is_taking_backwards():
    take, put = (replace(acts(verb, 1)[0], timing=1.0) for verb in ("take", "put"))
    for phase in (0.0, 0.2, 0.5, 0.9):
        assert pose(put, phase) == pose(take, 1 - phase)


@pytest.mark.parametrize("verb", CLASSES)
def test_motion_is_continuous_and_hands_come_and_go_from_their_rest(verb):
    for act in acts(verb):
        hands = [[part for part in pose(act, phase) if isinstance(part, Hand)] for phase in np.linspace(0, 1, 301)]
        for side in (-1, 1):
            path = np.array([next((h.x, h.y) for h in moment if h.side == side) for moment in hands])
            assert np.abs(np.diff(path, axis=0)).max() < 0.06
            assert path[[0, -1], 1].min() > 0.6


def test_pictures_move_in_actions_and_kitchens_differ():
    looks = [draw_look(SEED, kitchen) for kitchen in (1, 2, 3)]
    assert len({look.wall for look in looks}) == 3
    assert draw_look(SEED, 1) == looks[0] != draw_look(SEED + 1, 1)
    video = plan_videos(SEED, 1, 24)[0]
    shown = video.stops()[2]
    pictures = np.stack(list(islice(frames(video, (48, 64)), shown))).astype(np.float32)
    assert pictures.shape == (shown, 48, 64, 3)
    for start, stop in zip(video.starts[:3], video.stops()[:3], strict=True):
        assert np.abs(pictures[(start + stop) // 2] - pictures[start]).mean() > 3


def test_a_room_is_heard():
    click = np.zeros(48_000, np.float32)
    click[4800] = 1
    rooms = [draw_room(SEED, kitchen) for kitchen in range(1, 9)]
    tails = [
        np.abs(heard(click, room, np.random.default_rng(0)) - heard(0 * click, room, np.random.default_rng(0)))
        for room in rooms
    ]
    lasting = [np.nonzero(tail > 0.002 * tail.max())[0].max() for tail in tails]
    order = np.argsort([room.reverberation for room in rooms])
    assert lasting[order[0]] < lasting[order[-1]]
    assert all(np.abs(tail[:4700]).max() < 1e-6 for tail in tails)
