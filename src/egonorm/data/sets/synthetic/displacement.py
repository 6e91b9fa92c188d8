"""The exact optical flow of a video, from the geometry that its pictures are painted by: no estimate, no picture read."""

import io
import tarfile
from collections.abc import Iterable, Iterator

import numpy as np
import simplejpeg
from jaxtyping import Float, UInt8

from egonorm.data.sets.synthetic.drawing import Lens
from egonorm.data.sets.synthetic.looks import Look
from egonorm.data.sets.synthetic.motions import Hand, Thing
from egonorm.data.sets.synthetic.props import grasp_and_elbow, leaf
from egonorm.data.sets.synthetic.scene import ScenePart, Sight, draw_mood, see
from egonorm.data.sets.synthetic.timeline import FRAME_RATE, KitchenVideo

APART = 2
"""Frames between the two pictures of a pair, and between the pairs."""
PAIR_RATE = FRAME_RATE / APART
"""Pairs a second."""
LIMIT = 20.0
"""Pixels; what moves farther between two pictures is stored as if it moved so far."""
FLOW_QUALITY = 95
UNSEEN = -1e4
"""Where a part is painted to see which pixels it covers: a colour so dark that half a cover tells itself from none."""
TURNING = ("utensil", "knife", "jug")
"""The things whose size and angle are those of the whole thing; of others they tell something else."""


def displacements(video: KitchenVideo, size: tuple[int, int]) -> Iterator[UInt8[np.ndarray, "height width 2"]]:
    """For every second frame, how far what it shows has moved two frames later, to the right and down.

    None is 127.5 (128 when rounded), 6.375 a pixel, 0 and 255 the limit of 20 pixels. The wall moves with the head; hands
    and things are carried, turned and stretched as their places are; water, food and what is stirred stay with what
    holds them. A thing that will have gone is taken to stay where it is.
    """
    mood = draw_mood(video)
    now = see(video, mood, size, 0)
    for tick in range(0, video.frames, APART):
        then = see(video, mood, size, tick + APART)
        yield to_bytes(field_between(now, then, video.look, size, tick))
        now = then


def to_bytes(field: Float[np.ndarray, "2 height width"]) -> UInt8[np.ndarray, "height width 2"]:
    """Pixels to bytes."""
    scaled = np.clip(field, -LIMIT, LIMIT) * (127.5 / LIMIT) + 127.5
    return np.ascontiguousarray(np.rint(scaled).astype(np.uint8).transpose(1, 2, 0))


def field_between(
    now: Sight, then: Sight, look: Look, size: tuple[int, int], tick: int
) -> Float[np.ndarray, "2 height width"]:
    """How far, in pixels, what every pixel of frame `tick` shows moves from one sight to another."""
    field = np.empty((2, *size), np.float32)
    field[0], field[1] = now.left - then.left, now.top - then.top
    later = {part.name: part for part in then.parts}
    canvas = np.empty((3, *size), np.float32)
    for part in now.parts:
        canvas.fill(UNSEEN)
        part.paint(canvas, now.lens, look, tick)
        rows, columns = np.nonzero(canvas[0] > UNSEEN / 2)
        before, after = corners(part, now.lens), corners(later.get(part.name, part), then.lens)
        field[:, rows, columns] = carried(before, after, np.stack([columns, rows]))
    return field


def carried(
    before: Float[np.ndarray, "3 2"], after: Float[np.ndarray, "3 2"], pixels: np.ndarray
) -> Float[np.ndarray, "2 pixel"]:
    """How far pixels (their x and y) move with a triangle: the affine motion that takes its corners where they go.

    Along a side that is too short to tell (a door seen from its edge), all moves as the first corner does.
    """
    moved = after - before
    slope = np.linalg.pinv(before[1:] - before[0], rcond=0.1) @ (moved[1:] - moved[0])
    return moved[0][:, None] + slope.T @ (pixels - before[0][:, None])


def corners(part: ScenePart, lens: Lens) -> Float[np.ndarray, "3 2"]:
    """Three pixels that move with a hand or a thing; the first is where it is seen best."""
    if isinstance(part.what, Hand):
        grasp, elbow = grasp_and_elbow(lens, part.x, part.what)
        return np.stack([grasp, elbow, grasp + _across(elbow - grasp) * lens.scale])
    return np.array([lens.at(part.x + part.what.x + x, part.what.y + y) for x, y in _own_corners(part.what)])


def _own_corners(thing: Thing) -> Float[np.ndarray, "3 2"]:
    """Three places of a thing, seen from where it stands, in heights of the picture."""
    if thing.kind == "door":
        edge, reach = leaf(thing.angle, thing.number)
        return np.array([(edge, 0.0), (0.0, 0.0), (edge, 0.46 * reach)])
    if thing.kind == "spoon":
        tip = np.array([thing.angle, thing.amount])
        return np.stack([np.zeros(2), tip, _across(tip)])
    size, angle = (thing.size, thing.angle) if thing.kind in TURNING else (1.0, 0.0)
    along = size * np.array([np.cos(angle), np.sin(angle)])
    return np.stack([np.zeros(2), along, np.array([-along[1], along[0]])])


def _across(way: np.ndarray) -> np.ndarray:
    """The unit vector at a right angle to a way."""
    return np.array([-way[1], way[0]]) / np.hypot(*way)


def pack_flow(pairs: Iterable[UInt8[np.ndarray, "height width 2"]]) -> bytes:
    """A tar file, not compressed, of grey JPEG pictures u/frame_0000000001.jpg, v/frame_0000000001.jpg, and so on."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, pair in enumerate(pairs, start=1):
            for channel, half in enumerate("uv"):
                grey = np.ascontiguousarray(pair[..., channel : channel + 1])
                content = simplejpeg.encode_jpeg(grey, FLOW_QUALITY, "GRAY", "Gray")
                member = tarfile.TarInfo(f"{half}/frame_{number:010d}.jpg")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return file.getvalue()
