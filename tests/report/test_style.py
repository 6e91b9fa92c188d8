"""Drawings for a page: well-formed, of equal bytes, without clashes of names, and with all foreign text as text."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from egonorm.report.style import INK, SIDES, WIDTH, column, mark_modalities, png_of, short, svg_of

EVIL = "<img onerror=alert(1)> & $x_{$ \x1b漢"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(title="Norms"):
    with column(2.5) as figure:
        axes = figure.subplots()
        axes.bar([0, 1], [1, 2], color=SIDES[0].color, hatch="//", edgecolor=INK)
        axes.plot([0, 1], [1, 2], marker="o")
        axes.set_title(title)
        axes.set_xticks([0, 1], [title, "put"])
    return figure


def test_the_same_bytes_twice():
    figure = drawn()
    assert svg_of(figure, "a") == svg_of(figure, "a") == svg_of(drawn(), "a")
    assert png_of(figure) == png_of(figure)


def test_two_figures_on_a_page_have_no_place_in_common_and_find_their_own():
    roots = [ElementTree.fromstring(svg_of(drawn(), name)) for name in ("first", "second")]
    ids = [element.get("id") for root in roots for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and len(ids) > 20
    for root in roots:
        own = {element.get("id") for element in root.iter()}
        values = [value for element in root.iter() for value in element.attrib.values()]
        used = {name for value in values for name in re.findall(r"url\(#([^)]*)\)", value)}
        used |= {element.get("href")[1:] for element in root.iter(f"{SVG}use")}
        assert used and used <= own, "clip paths, hatches and markers"


def test_foreign_text_stays_text():
    svg = svg_of(drawn(EVIL), "evil", f'"{EVIL}"')
    assert "<img" not in svg and "\x1b" not in svg
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == f'"{EVIL}"'.replace("\x1b", r"\x1b") and root.get("role") == "img"
    shown = [element.text for element in root.iter(f"{SVG}text")]
    assert EVIL.replace("\x1b", r"\x1b") in shown and "put" in shown


def test_ink_takes_the_colour_of_the_page_and_nothing_lies_behind():
    svg = svg_of(drawn(), "a")
    assert "currentColor" in svg and INK not in svg and "#000000" not in svg and "#ffffff" not in svg
    assert "<style" not in svg and "<metadata" not in svg and "<!--" not in svg
    assert SIDES[0].color.lower() in svg


def test_pixels_are_dark_on_white():
    with Image.open(io.BytesIO(png_of(drawn(), 100))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[:2] == (250, round(100 * WIDTH)) and (pixels[0, 0] == 255).all() and pixels.min() < 10


def test_modalities_are_told_apart_by_more_than_colour():
    marks = mark_modalities(("a", "b", "c", "d", "e", "f", "g"))
    first = list(marks.values())[:6]
    for what in ("color", "hatch", "line", "marker"):
        assert len({str(getattr(mark, what)) for mark in first}) == 6
    assert marks["g"] == marks["a"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("take", "take"),
        ("a" * 25, "a" * 23 + "…"),
        ("a\udcff\n\u202eb", r"a\udcff\n\u202eb"),
    ],
)
def test_long_names_are_cut(name, shown):
    assert short(name) == shown
