"""Where it looks: the clips that the method changed most, and what in them speaks for their true class, on each side."""

from collections.abc import Mapping

import numpy as np

from egonorm.core import RunError
from egonorm.core.training import FUSED
from egonorm.export.examples import Change, largest_changes, most_confidently_wrong
from egonorm.export.saved_clip import SavedClip, read_clip
from egonorm.report.data.predictions import Sides, judged
from egonorm.report.data.runs import Comparison, ReportData
from egonorm.report.figures.saliency import cam_figure
from egonorm.report.page.model import Element, Facts, Note, Player
from egonorm.report.sections.errors import NOT_ASKED, thoughts, video_of
from egonorm.report.style import Exhibit
from egonorm.runs.results import Record
from egonorm.sweeps.paper import display_name

_RULE = (
    "The clips whose true class's fused score rose most, and those for which it fell most, from {without} to {method} (seed "
    "{seed}; scores are means over the selected checkpoints). The maps are Grad-CAM on the last convolution of each stream, "
    "of the true class, by the last of these checkpoints. "
)
STALE = (
    "Its maps were saved of another checkpoint than the last selected one. A report where the data are saves them anew."
)
LATE = "Where logits are summed, the map of the fused score is that of the stream's own."


def wanted_clips(data: ReportData, comparisons: tuple[Comparison, ...], most: int) -> dict[Record, tuple[str, ...]]:
    """The clips that a page shows of each run: what changed most, of both sides, and each side's surest mistakes."""
    wanted: dict[Record, dict[str, None]] = {}
    for comparison in comparisons:
        sides = judged(comparison, data)
        if isinstance(sides, Note):
            continue
        changed = [change.uid for change in _changed(sides, most)]
        for method, records in comparison.sides.items():
            wrong = [mistake.uid for mistake in most_confidently_wrong(sides[method][0], most)]
            wanted.setdefault(records[0], {}).update(dict.fromkeys([*changed, *wrong]))
    return {record: tuple(uids) for record, uids in wanted.items()}


def looks(comparison: Comparison, data: ReportData, most: int) -> tuple[Element, ...]:
    """A player for each clip that changed most, with the maps of both sides below it."""
    sides = judged(comparison, data)
    if isinstance(sides, Note):
        return (sides,)
    if not most:
        return (Note(NOT_ASKED),)
    changed = _changed(sides, most)
    if not changed:
        return (Note(f"No clip of {comparison.shift.domain} has another score."),)
    seed, late = comparison.without[0].run.seed, comparison.without[0].run.net.fusion == "sum"
    without, method = map(display_name, sides)
    told = Note(_RULE.format(without=without, method=method, seed=seed) + late * LATE)
    return told, *(_player(comparison, sides, change, k) for k, change in enumerate(changed, start=1))


def _changed(sides: Sides, most: int) -> tuple[Change, ...]:
    """What rose most and what fell most."""
    before, after = (side[0] for side in sides.values())
    rose, fell = largest_changes(before, after, most)
    return *rose, *fell


def _player(comparison: Comparison, sides: Sides, change: Change, number: int) -> Player:
    name = f"{comparison.name}-look-{number}"
    truth = next(iter(sides.values()))[0].classes[change.label]
    title = f"{number}. {truth}: score {change.before:.2f} → {change.after:.2f}"
    facts = Facts((("clip", change.uid), ("true class", truth)))
    video, missing = video_of(comparison, change.uid, tuple(comparison.sides))
    pictures = _pictures(comparison, change.uid, truth, name)
    return Player(
        name, title, change.uid, facts, thoughts(comparison, sides, change.uid, name), video, missing, pictures
    )


def _pictures(comparison: Comparison, uid: str, truth: str, name: str) -> tuple[Exhibit, ...]:
    """The maps of the fused logit; where features are concatenated, those of each stream's own logit too."""
    try:
        saved = {method: read_clip(records[0].folder, uid) for method, records in comparison.sides.items()}
    except RunError as error:
        return (Exhibit(f"{name}-cam", f"Activation maps of {uid}", missing=f"{error.what} {error.remedy}"),)
    is_shown = lambda method, clip: clip.maps and clip.step == comparison.sides[method][0].steps[-1]  # noqa: E731
    there = {method: clip for method, clip in saved.items() if clip is not None and is_shown(method, clip)}
    if not there:
        why = next((clip.missing for clip in saved.values() if clip is not None), "The clip was not saved.") or STALE
        return (Exhibit(f"{name}-cam", f"Activation maps of {uid}", missing=why),)
    shared = all(records[0].run.net.fusion == "sum" for records in comparison.sides.values())
    streams = [m for m in next(iter(there.values())).scores if m != FUSED]
    return tuple(
        _exhibit(there, uid, truth, logit, f"{name}-cam-{logit}") for logit in (FUSED, *([] if shared else streams))
    )


def _exhibit(saved: Mapping[str, SavedClip], uid: str, truth: str, logit: str, name: str) -> Exhibit:
    whose = "the fused score" if logit == FUSED else f"the score of {logit} alone"
    peaks = [
        f"{display_name(method)}, {stream}: {_peak(clip, stream, cells)}"
        for method, clip in saved.items()
        for stream, cells in clip.maps_of(clip.label, logit).items()
    ]
    text = f"Where in clip {uid} speaks most for {truth}. {'; '.join(peaks)}."
    caption = " ".join(dict.fromkeys(clip.note for clip in saved.values() if clip.note))
    header = ("method", "stream", "seconds", "row from the top", "kilohertz", "column", "value")
    rows = tuple(row for method, clip in saved.items() for row in _rows(method, clip, logit))
    return Exhibit(
        name,
        f"What speaks for {truth} in {uid}: maps of {whose}",
        cam_figure(list(saved.values()), logit=logit),
        text,
        caption,
        header,
        rows,
        is_picture=True,
    )


def _peak(clip: SavedClip, stream: str, cells: np.ndarray) -> str:
    """Where a map is highest, in words."""
    if not cells.any():
        return "nowhere"
    place = np.unravel_index(cells.argmax(), cells.shape)
    if stream in clip.sounds:
        return f"around {_kilohertz(clip, stream, cells)[place[0]]:.1f} kHz at {_seconds(clip, stream, cells)[place[1]]:.2f} s"
    down, right = (_third(int(k), n) for k, n in zip(place[1:], cells.shape[1:], strict=True))
    return f"at {clip.times[place[0]]:.2f} s in the {_DOWN[down]} {_RIGHT[right]} of the picture"


def _third(place: int, number: int) -> str:
    """Where a cell's middle lies along a side: in its first, middle or last third."""
    return ("first", "middle", "last")[int(3 * (place + 0.5) / number)]


_DOWN = {"first": "upper", "middle": "middle", "last": "lower"}
_RIGHT = {"first": "left", "middle": "centre", "last": "right"}


def _rows(method: str, clip: SavedClip, logit: str) -> list[tuple[object, ...]]:
    """Every cell of the maps, as coarse as the network has them."""
    rows: list[tuple[object, ...]] = []
    for stream, cells in clip.maps_of(clip.label, logit).items():
        for place, value in np.ndenumerate(cells):
            if stream in clip.sounds:
                seconds, hertz = _seconds(clip, stream, cells)[place[1]], _kilohertz(clip, stream, cells)[place[0]]
                rows.append((method, stream, round(seconds, 3), "", round(hertz, 2), "", float(value)))
            else:
                rows.append((method, stream, clip.times[place[0]], place[1], "", place[2], float(value)))
    return rows


def _seconds(clip: SavedClip, stream: str, cells: np.ndarray) -> list[float]:
    """The middle of each column of a map of what is heard."""
    sound, number = clip.sounds[stream], cells.shape[1]
    return [sound.start + (k + 0.5) * (sound.stop - sound.start) / number for k in range(number)]


def _kilohertz(clip: SavedClip, stream: str, cells: np.ndarray) -> list[float]:
    """The frequency in the middle of each row."""
    frequencies, number = clip.sounds[stream].frequencies, len(cells)
    return [float(frequencies[int((k + 0.5) * len(frequencies) / number)]) / 1000 for k in range(number)]
