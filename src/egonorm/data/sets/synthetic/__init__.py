"""Procedural kitchens: untrimmed first-person videos with sound, of the eight verbs, made without any recording."""

from egonorm.data.sets.synthetic.config import KitchensConfig
from egonorm.data.sets.synthetic.rendering import render_kitchens
from egonorm.data.sets.synthetic.verbs import CLASSES

__all__ = ["CLASSES", "KitchensConfig", "render_kitchens"]
