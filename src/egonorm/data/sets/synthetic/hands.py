"""Hands with forearms and sleeves, as their owner sees them: they come from the bottom of the picture."""

import numpy as np

from egonorm.data.sets.synthetic.lens import Lens, Number
from egonorm.data.sets.synthetic.looks import Look
from egonorm.data.sets.synthetic.motions import Hand
from egonorm.data.sets.synthetic.painting import capsule, ellipse

FINGERS = ((-0.62, 0.8), (-0.22, 1.0), (0.16, 1.05), (0.52, 0.9))
"""Of four fingers: where they begin across the palm, and how long they are."""


def grasp_and_elbow(lens: Lens, x: Number, hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """The pixels where a hand grasps and where its elbow is."""
    grasp = np.array(lens.at(x + hand.x, hand.y))
    return grasp, np.array(lens.at(x + 0.45 * hand.x + 0.34 * hand.side, max(hand.y + 0.55, 1.4)))


def paint_hand(picture: np.ndarray, lens: Lens, look: Look, x: Number, hand: Hand) -> None:
    """Paint a hand whose fingers close around (x + hand.x, hand.y)."""
    size = look.hand_size * lens.scale
    grasp, elbow = grasp_and_elbow(lens, x, hand)
    along = (grasp - elbow) / np.hypot(*(grasp - elbow))
    across = np.array([-along[1], along[0]]) * hand.side  # towards the little finger
    palm, wrist = grasp - 0.055 * size * along, grasp - 0.13 * size * along
    _arm(picture, look, elbow, wrist, size)
    skin = np.asarray(look.hand, np.float32)
    angle = float(np.arctan2(along[1], along[0]))
    ellipse(picture, tuple(palm), (0.085 * size, 0.066 * size), skin * 0.94, angle, shade=0.3)
    for place, length in FINGERS:
        root = palm + (0.05 * along + 0.085 * place * across) * size
        far = 0.105 * length * (1 - 0.62 * hand.grip) * size
        tip = root + far * (along + 0.35 * place * (1 - hand.grip) * across)
        capsule(picture, tuple(root), tuple(tip), (0.02 * size, 0.016 * size), skin, shade=0.4)
    root = palm - 0.05 * across * size
    tip = root + (0.075 * along - (0.055 - 0.075 * hand.grip) * across) * size
    capsule(picture, tuple(root), tuple(tip), (0.026 * size, 0.018 * size), skin * 1.04, shade=0.4)


def _arm(picture: np.ndarray, look: Look, elbow: np.ndarray, wrist: np.ndarray, size: float) -> None:
    colour = np.asarray(look.hand, np.float32) * 0.88
    capsule(picture, tuple(elbow), tuple(wrist), (0.085 * size, 0.05 * size), colour, shade=0.35)
    if look.sleeve_length > 0.15:
        cuff = elbow + look.sleeve_length * (wrist - elbow)
        capsule(picture, tuple(elbow), tuple(cuff), (0.1 * size, 0.07 * size), look.sleeve, shade=0.35)
