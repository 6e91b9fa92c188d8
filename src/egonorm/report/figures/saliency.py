"""A figure of where networks look and listen: activation maps over a clip's frames and spectrograms, a row for each run."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from egonorm.core import RunError, SettingError
from egonorm.core.training import FUSED
from egonorm.export.saved_clip import SavedClip, Sound
from egonorm.report.figures.layout import GAP, LINE, MARGIN, SHEET_WIDTH, Sheet
from egonorm.report.style import drawing
from egonorm.sweeps.paper import display_name

MAX_COLUMNS = 8
"""Frames in a row."""
COLOURS = "inferno"
"""Dark to bright in equal steps for every kind of sight, so that it can be read in grey too."""
OPACITY = 0.6
NOTHING = "nothing here speaks for it"
_KILOHERTZ = (0.25, 0.5, 1, 2, 4, 8, 16)
_LEGEND = "Brighter: speaks more for {} (Grad-CAM); each row and each spectrogram on a scale of its own."


def cam_figure(
    saved: SavedClip | Sequence[SavedClip], *, logit: str = FUSED, of: Literal["true", "answer"] = "true"
) -> Figure:
    """One clip as one or several runs saw it: a row of frames for each run and stream that sees, then what is heard.

    Args:
        logit: `fused`, or the modality whose own logit is asked; then the maps of other streams are left out.
        of: the maps of the true class, or of the class that each run answers.

    Raises:
        SettingError: for a logit that a run does not have.
        RunError: when there are no maps, of a run on features for example.
    """
    clips = (saved,) if isinstance(saved, SavedClip) else tuple(saved)
    _check(clips, logit)
    rows = [row for clip in clips for row in _rows(clip, logit, of)]
    names = tuple(dict.fromkeys(name for clip in clips for name in clip.sounds))
    size = (SHEET_WIDTH - 2 * MARGIN - (MAX_COLUMNS - 1) * GAP) / MAX_COLUMNS
    height = 4 * LINE + GAP + sum(row.height(size) for row in rows) + len(names) * _SOUND
    sheet = Sheet(Figure((SHEET_WIDTH, height)), height)
    first = clips[0]
    title = f"{_short(first.uid)}, true class {_short(first.classes[first.label])}"
    sheet.write(MARGIN, title, size=10, weight="bold")
    sheet.skip(1.5 * LINE)
    for row in rows:
        _draw_row(sheet, row, size)
    for name in names:
        _draw_sounds(sheet, clips, name, logit, of)
    steps = ", ".join(dict.fromkeys(str(clip.step) for clip in clips))
    sheet.write(MARGIN, f"Scores and maps of one network (checkpoint at step {steps}).", size=7, color="0.35")
    sheet.skip(LINE)
    sheet.write(MARGIN, _LEGEND.format("the true class" if of == "true" else "the run's answer"), size=7, color="0.35")
    return sheet.figure


def _check(clips: Sequence[SavedClip], logit: str) -> None:
    for clip in clips:
        if logit not in clip.scores:
            raise SettingError(
                f"{clip.run} has no logit {logit!r}.",
                got=logit,
                expected=", ".join(clip.scores),
                remedy="Choose one of these.",
            )
    if not any(clip.maps for clip in clips):
        raise RunError(
            f"There are no activation maps of {clips[0].uid}.",
            got=clips[0].missing,
            expected="a run on pictures or sound, by encoders that declare their last maps",
            remedy="Use a run that was trained on the media themselves; an encoder of your own declares them as self.maps, an "
            "nn.Identity that they pass.",
        )


def upsampled(coarse: Float[np.ndarray, "h w"], height: int, width: int) -> Float[np.ndarray, "{height} {width}"]:
    """A map at a picture's size: bilinear between the middles of its cells, constant beyond the outermost."""

    def between(rows: np.ndarray, number: int) -> np.ndarray:
        at = np.clip((np.arange(number) + 0.5) * len(rows) / number - 0.5, 0, len(rows) - 1)
        low = np.floor(at).astype(int)
        part = (at - low)[:, None]
        return (1 - part) * rows[low] + part * rows[np.minimum(low + 1, len(rows) - 1)]

    return between(between(coarse, height).T, width).T


def draw_maps(figure: Figure, suffix: str, dpi: int = 200) -> bytes:
    """The file of a figure: `.png`, `.svg`, `.pdf` or `.jpg`."""
    file = io.BytesIO()
    with drawing():
        figure.savefig(file, format=suffix[1:], dpi=dpi)
    return file.getvalue()


@dataclass(frozen=True)
class _Row:
    """Frames of one run, and one stream's maps over them."""

    title: str
    pictures: list[np.ndarray]
    times: tuple[float, ...]
    maps: np.ndarray | None

    def height(self, size: float) -> float:
        return LINE + (size + LINE if self.times else 0)


def _rows(clip: SavedClip, logit: str, of: str) -> list[_Row]:
    maps = {name: x for name, x in clip.maps_of(_class(clip, of), logit).items() if x.ndim == 3}
    title, pictures = _title(clip, logit), clip.pictures()
    if not maps:
        reason = f"; no map: {clip.missing}" if clip.missing else ""
        return [_Row(title + reason, pictures, clip.times if pictures else (), None)]
    blank = [np.full((8, 8, 3), 128, np.uint8)] * len(clip.times)
    return [_Row(f"{title}; {name}", pictures or blank, clip.times, x) for name, x in maps.items()]


def _class(clip: SavedClip, of: str) -> int:
    return clip.label if of == "true" else clip.answer


def _title(clip: SavedClip, logit: str) -> str:
    scores = clip.scores[logit]
    answer = int(scores.argmax())
    told = f"answers {_short(clip.classes[answer])} {scores[answer]:.2f}"
    if answer != clip.label:
        told += f", true class {_short(clip.classes[clip.label])} {scores[clip.label]:.2f}"
    return f"{display_name(clip.method)}, seed {clip.seed}: {told}" + ("" if logit == FUSED else f" ({logit} alone)")


def _short(text: str, most: int = 32) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _draw_row(sheet: Sheet, row: _Row, size: float) -> None:
    nothing = row.maps is not None and not row.maps.any()
    sheet.write(MARGIN, row.title + nothing * f" ({NOTHING})")
    shown = np.linspace(0, len(row.times) - 1, min(MAX_COLUMNS, len(row.times))).round().astype(int)
    for place, k in enumerate(shown):
        axes = sheet.axes(MARGIN + place * (size + GAP), size, size, below=LINE)
        axes.imshow(row.pictures[k], interpolation="bilinear", aspect="auto")
        if row.maps is not None:
            _overlay(axes, row.maps[k], float(row.maps.max()), row.pictures[k].shape[:2])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(f"{row.times[k]:.2f} s", size=7, labelpad=2)
    sheet.skip(row.height(size))


def _overlay(axes: Axes, coarse: np.ndarray, most: float, size: tuple[int, int], **where) -> None:
    heat = upsampled(coarse / most if most > 0 else coarse, *size)
    axes.imshow(heat, cmap=COLOURS, vmin=0, vmax=1, alpha=OPACITY * heat, aspect="auto", **where)


_WAVE, _LOOK = 0.3, 1.2
_SOUND = LINE + _WAVE + _LOOK + 2 * LINE


def _draw_sounds(sheet: Sheet, clips: Sequence[SavedClip], name: str, logit: str, of: str) -> None:
    """What a stream hears, a column for each run: the waveform, and below it the spectrogram with the map."""
    width = (SHEET_WIDTH - 2 * MARGIN - (len(clips) - 1) * MARGIN) / len(clips)
    for column, clip in enumerate(clips):
        if name in clip.sounds:
            left = MARGIN + column * (width + MARGIN)
            coarse = clip.maps_of(_class(clip, of), logit).get(name)
            nothing = coarse is not None and not coarse.any()
            sheet.write(left, f"{display_name(clip.method)}; {name}" + nothing * f" ({NOTHING})")
            wave, look = sheet.axes(left, width, _WAVE, LINE), sheet.axes(left, width, _LOOK, LINE + _WAVE)
            _draw_wave(wave, clip.sounds[name])
            _draw_look(look, clip.sounds[name], coarse)
    sheet.skip(_SOUND)


def _draw_wave(axes: Axes, sound: Sound, bins: int = 400) -> None:
    pieces = np.array_split(sound.waveform, min(bins, len(sound.waveform)))
    times = np.linspace(sound.start, sound.stop, len(pieces))
    axes.fill_between(times, [p.min() for p in pieces], [p.max() for p in pieces], color="0.25", linewidth=0.4)
    axes.set_xlim(sound.start, sound.stop)
    axes.axis("off")


def _draw_look(axes: Axes, sound: Sound, coarse: np.ndarray | None) -> None:
    rows = len(sound.look)
    where: dict[str, Any] = {"origin": "lower", "extent": (sound.start, sound.stop, 0, rows)}
    axes.imshow(sound.look, cmap="gray", aspect="auto", **where)
    if coarse is not None:
        _overlay(axes, coarse, float(coarse.max()), sound.look.shape, **where)
    ticks = [k for k in _KILOHERTZ if sound.frequencies[0] <= 1000 * k <= sound.frequencies[-1]]
    places = [float(np.interp(1000 * k, sound.frequencies, np.arange(rows) + 0.5)) for k in ticks]
    kept = [n for n, place in enumerate(places) if n == 0 or place - places[n - 1] > rows / 14]
    axes.set_yticks([places[n] for n in kept], [f"{ticks[n]:g}" for n in kept], size=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylabel("kHz", size=7, labelpad=2)
    axes.set_xlabel("s", size=7, labelpad=1)
