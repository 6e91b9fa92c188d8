"""Save clips of runs for people: pictures, sound and activation maps, from a run's data and its last selected checkpoint."""

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from egonorm.core import DataError, EgonormError, RunError
from egonorm.core.errors import some
from egonorm.core.files import write_atomically
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.sets import ClipSet, FeatureSet, open_clip_set
from egonorm.data.sets.features.store import DESCRIPTION, read_description
from egonorm.data.transforms import FEATURES
from egonorm.export.activation import (
    find_maps,
    frame_moments,
    inputs_of,
    middle,
    scores_and_norms,
    shown_frames,
    sounds_of,
    windows_of,
)
from egonorm.export.saved_clip import SavedClip, read_clip, video_path, write_clip
from egonorm.export.video import Media, excerpt, find_media, plays
from egonorm.methods.base import target_moments
from egonorm.nets.grad_cam import without_maps
from egonorm.nets.net import Net
from egonorm.runs.config import Run, load_trained
from egonorm.runs.presets import small
from egonorm.runs.results import Record


@dataclass(frozen=True, eq=False)
class Saver:
    """Saves clips of one run; the data and the network are opened once, when they are needed."""

    record: Record

    def save(self, uid: str) -> SavedClip:
        """A clip as the run's last selected checkpoint saw it; made and saved if it is not there yet.

        Raises:
            DataError: when the run's data are not there, do not have the clip, or cannot show it.
            RunError: when the checkpoint is not there.
        """
        folder = self.record.folder
        if (saved := self._saved(uid)) is not None:
            return saved
        clip, shown = _find(self._data.manifest, uid, self.record.run.data), _find(self._shown.manifest, uid, "")
        media, windows = self._media(shown), windows_of(self.record.run, shown)
        made = self._made(clip, shown, media)
        write_atomically(video_path(folder, uid), excerpt(media, shown, windows[0].start, windows[-1].stop))
        write_clip(folder, made)
        written = read_clip(folder, uid)
        assert written is not None
        return written

    def _saved(self, uid: str) -> SavedClip | None:
        """What was saved of the same checkpoint, if it can be read."""
        try:
            saved = read_clip(self.record.folder, uid)
        except RunError:
            return None
        whole = saved is not None and saved.step == self._step and plays(video_path(self.record.folder, uid))
        return saved if whole else None

    def _made(self, clip: Clip, shown: Clip, media: Media) -> SavedClip:
        run, (net, classes) = self.record.run, self._trained
        if clip.label not in classes:
            raise DataError(
                f"Clip {clip.uid} cannot be compared with an answer.",
                got=f"the label {clip.label}" if clip.label else "no label",
                expected=f"one of {some(classes)}",
                remedy="Name another clip, or label this one.",
            )
        inputs, label = inputs_of(run, self._data, self._data.manifest, clip), classes.index(clip.label)
        scores, norms = scores_and_norms(run, net, inputs)
        about: dict[str, Any] = {
            "run": self.record.folder.resolve().name,
            "method": run.method.name(),
            "seed": run.seed,
            "step": self._step,
            "uid": clip.uid,
            "domain": clip.domain,
            "label": label,
            "classes": classes,
            "start": shown.start,
            "stop": shown.stop,
            "scores": scores,
            "norms": norms,
            "note": _note(self.record, clip),
        }
        if names := without_maps(net):
            return SavedClip(**about, missing=_why_no_maps(run, names))
        windows = windows_of(run, clip)
        moments = frame_moments(run, windows)
        maps: dict[tuple[int, str, str], np.ndarray] = {}
        for number in dict.fromkeys((label, int(scores["fused"].argmax()))):
            maps |= find_maps(run, net, inputs, windows, moments, number)
        frames = shown_frames(run, media, shown, windows, moments)
        sounds = sounds_of(run, self._data, clip, windows[middle(windows)])
        return SavedClip(**about, maps=maps, times=tuple(m.time for m in moments), frames=frames, sounds=sounds)

    @property
    def _step(self) -> int:
        return self.record.steps[-1]

    @cached_property
    def _data(self) -> ClipSet:
        return open_clip_set(self.record.run.data)

    @cached_property
    def _shown(self) -> ClipSet:
        """The data that have the media: those of the run, or those that its features were computed of."""
        if not isinstance(self._data, FeatureSet):
            return self._data
        if not (self._data.root / DESCRIPTION).exists():
            raise DataError(
                f"The features in {self._data.root} do not say what they were computed of.",
                got="features of another program",
                expected="a store of egonorm extract",
                remedy="Extract the features with egonorm to see clips.",
            )
        return open_clip_set(read_description(self._data.root).data)

    def _media(self, clip: Clip) -> Media:
        own = {name: stream.input for name, stream in self.record.run.net.streams.items()}
        own = {name: given for name, given in own.items() if given.reads != FEATURES}
        preset = small()
        usual = {name: stream.input for name, stream in (preset.net.streams | preset.further).items()}
        return find_media(self._shown, own, usual, clip.media)

    @cached_property
    def _trained(self) -> tuple[Net, tuple[str, ...]]:
        net, classes = load_trained(self.record.folder, self.record.run, self._step)
        self._data.manifest.with_classes(classes)  # refuses data with others
        return net, classes


def _why_no_maps(run: Run, names: Sequence[str]) -> str:
    if all(run.net.streams[name].input.reads == FEATURES for name in names):
        return "The network is fed features, which have no place."
    return f"The encoder of {' and '.join(names)} declares no maps."


def save_clips(
    wanted: Mapping[Record, Sequence[str]], progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[str, ...]:
    """Save the clips of runs that are not there yet; what could not be saved and why, a sentence for each cause."""
    total, done, causes = sum(map(len, wanted.values())), 0, defaultdict(list)
    for record, uids in wanted.items():
        saver = Saver(record)
        for uid in uids:
            try:
                saver.save(uid)
            except EgonormError as error:
                causes[_cause(error, uid)].append((uid, f"{error.what} (got: {error.got})"))
            done += 1
            progress(done, total)
    return tuple(_tell(sorted(found)) for found in causes.values())


def _cause(error: EgonormError, uid: str) -> tuple[type, str]:
    """What errors of other clips have in common with this one: its kind, and its words without names, paths and numbers."""
    words = error.what.replace(uid, "/").split()
    return type(error), " ".join(word for word in words if not re.search(r"[/\\\d]|\.\w", word))


def _tell(found: Sequence[tuple[str, str]]) -> str:
    uids, reasons = zip(*found, strict=True)
    one = len(set(reasons)) == 1
    return f"Not shown: {some(sorted(set(uids)))}. {'' if one else 'Of the first: '}{reasons[0]}"


def _find(manifest: Manifest, uid: str, data: str) -> Clip:
    found = next((clip for clip in manifest.clips if clip.uid == uid), None)
    if found is None:
        uids = [clip.uid for clip in manifest.clips]
        near = difflib.get_close_matches(uid, uids, n=3) or uids[:3]
        raise DataError(
            f"There is no clip {uid!r} in {data or 'the data'}.",
            got=uid,
            expected=f"one of {len(uids)}, such as {', '.join(near)}",
            remedy="Correct the uid.",
        )
    return found


def _note(record: Record, clip: Clip) -> str:
    adapts = target_moments(record.method, record.setting) & {"after", "test"}
    if adapts and clip.domain == record.setting.target:
        return "The method adapts its network to the target's clips; scores and maps are the network's before that."
    return ""
