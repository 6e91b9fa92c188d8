"""Random factors with an address: each is drawn from (seed, kitchen, number, name) and from nothing else.

A dataclass documents its factors as fields: `between(0.2, 0.9)` says how the value is drawn, `drawn` draws them all. A
new factor changes no other one, and neither the order of drawing nor the number of workers matters.
"""

import colorsys
import zlib
from collections.abc import Callable
from dataclasses import field, fields
from typing import Any

import numpy as np


def generator(seed: int, kitchen: int, number: int, name: str) -> np.random.Generator:
    """The generator at an address; `number` is a clip's or a video's, 0 for what belongs to the whole kitchen."""
    return np.random.default_rng([seed, kitchen, number, zlib.crc32(name.encode())])


def between(low: float, high: float) -> Any:
    """A field drawn uniformly from a range."""
    return _factor(lambda rng: float(rng.uniform(low, high)))


def one_of(*choices: Any) -> Any:
    """A field drawn uniformly from a few choices."""
    return _factor(lambda rng: choices[int(rng.integers(len(choices)))])


def some_of(count: int, *choices: str) -> Any:
    """A field of `count` different choices in a drawn order."""
    return _factor(lambda rng: tuple(choices[int(i)] for i in rng.permutation(len(choices))[:count]))


def colour(hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]) -> Any:
    """A field drawn uniformly in hue, saturation and value; kept as red, green and blue in 0..255."""

    def draw(rng: np.random.Generator) -> tuple[float, float, float]:
        red, green, blue = colorsys.hsv_to_rgb(*(float(rng.uniform(*span)) for span in (hue, saturation, value)))
        return 255 * red, 255 * green, 255 * blue

    return _factor(draw)


def draw_factors(kind: type, seed: int, kitchen: int, number: int, **given: Any) -> Any:
    """An instance of a dataclass whose factors are drawn, each at its own address, and whose other fields are given."""
    values = {
        factor.name: factor.metadata["draw"](generator(seed, kitchen, number, f"{kind.__name__}.{factor.name}"))
        for factor in fields(kind)
        if "draw" in factor.metadata
    }
    return kind(**given, **values)


def _factor(draw: Callable[[np.random.Generator], Any]) -> Any:
    return field(metadata={"draw": draw}, kw_only=True)
