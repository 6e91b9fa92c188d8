"""A page with every kind of part, made by hand, and hostile where a manifest could make it so."""

import io

import av
import numpy as np
import pytest
from matplotlib.figure import Figure

from egonorm.report.page.model import Choice, Facts, Grid, GridCell, Matrix, Note, Page, Player, Section, Tab
from egonorm.report.style import Exhibit

EVIL = "<img src=x onerror=\"document.title='broken'\">'&\"</script><script>document.title='broken'</script>"


def film(seconds: float = 1.0) -> bytes:
    """A short MP4 with picture and sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        picture, sound = container.add_stream("libx264", rate=10), container.add_stream("aac", rate=24000)
        picture.width, picture.height, picture.pix_fmt = 96, 72, "yuv420p"
        sound.layout = "mono"
        for k in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(np.full((72, 96, 3), 20 * k % 255, np.uint8))
            container.mux(picture.encode(frame))
        wave = np.sin(np.arange(round(seconds * 24000)) / 10).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate = 24000
        container.mux(sound.encode(frame))
        container.mux([*picture.encode(), *sound.encode()])
    return file.getvalue()


def drawing(title: str = "Norms", name: str = "norms", **more: object) -> Exhibit:
    """A line."""
    figure = Figure(figsize=(6, 3))
    axes = figure.subplots()
    axes.plot([1, 2, 3], [3, 1, 2], label=title)
    axes.set_title(title)
    axes.legend()
    text = "Two lines; the first falls from 3 to 1."
    return Exhibit(name, title, figure, text, "Mean over three seeds.", ("step", "norm"), ((1, 3.0), (2, 1.0)), **more)


def grid(name: str = "results") -> Grid:
    """Numbers, words, marks, and cells without a value."""
    lines = (
        ("rna", 54.25, "zebra", "best"),
        ("align-only", 9.5, "apple", "tied"),
        ("hna", None, "", ""),
        ("source-only", 47.0, "mango", ""),
        (EVIL, -3.0, "10 kiwis", ""),
        ("mmd", 12.0, "9 kiwis", ""),
    )
    rows = tuple(
        (GridCell(a), GridCell("" if x is None else f"{x:.1f}", x, ("[41, 58]",) if x else (), mark), GridCell(b))
        for a, x, b, mark in lines
    )
    return Grid(
        name, "Top-1, fused, in percent", ("method", "D1 → D2", "fruit"), rows, "Selection: last-mean:9.", "a,b\n1,2\n"
    )


def matrix(name: str = "confusion", num_classes: int = 4) -> Matrix:
    """Some of everything."""
    classes = ("take", "put", EVIL, *(f"wash-{k}" for k in range(num_classes - 3)))
    percents = np.random.default_rng(0).dirichlet(np.full(num_classes, 0.3), num_classes).round(3) * 100
    percents[1] = 0
    rows = tuple(tuple(map(float, row)) for row in percents)
    return Matrix(name, "rna: which class was taken for which", classes, rows, (12, 0, *(9,) * (num_classes - 2)), EVIL)


def player(name: str = "clip", video: bytes | None = None) -> Player:
    """A clip, with what two streams thought of it."""
    facts = Facts((("true class", "take"), ("uid", EVIL), ("shown because", "the surest wrong answer of rna")))
    rows = tuple((GridCell(f"rna, {s}"), GridCell("put"), GridCell("0.98", 0.98)) for s in ("fused", "first"))
    table = Grid(f"{name}-thoughts", "What was thought of it", ("run, stream", "answer", "score"), rows)
    missing = "" if video else "the run saved no clip"
    pictures = (drawing("Where it looked", f"{name}-map", is_picture=True),)
    return Player(name, f"Clip {EVIL}", EVIL, facts, table, video, missing, pictures)


@pytest.fixture(scope="session")
def page() -> Page:
    """All kinds of parts; in two tabs and below them."""
    inner = Choice(
        "stream", "Stream", {"first": (Note("inner first"),), "second": (Note("inner second"), grid("inner"))}
    )
    options = {"D1 → D2": (drawing(EVIL, "figure-1"), inner), "D2 → D1 " + EVIL: (drawing(name="figure-2"),)}
    gone = Exhibit("gone", "Training curves", missing=f"there is no train.jsonl {EVIL}")
    first = Section(
        "tables", "Results", (Note("Three seeds."), Note(f"One run broke. {EVIL}", is_warning=True), grid())
    )
    figures = Section("figures", "Figures", (Choice("shift", "Shift", options), gone))
    fails = Section("fails", "Where it fails", (matrix(), player("clip", film()), player("silent")))
    tabs = (Tab("dg1", "Single-source DG", (first, figures)), Tab("dgn", f"Multi-source DG {EVIL}", (fails,)))
    made = Section("made", "How it was made", (Facts((("torch", "2.13"), (EVIL, EVIL)), "Versions"),))
    return Page(f"A report {EVIL}", (Note("rna 54.2 % against 47.0 %."), Note(EVIL)), tabs, (made,))
