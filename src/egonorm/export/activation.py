"""What a network saw of a clip in its test windows, what it answered, and where it found it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import simplejpeg
import torch
from jaxtyping import Float
from torch import Tensor

from egonorm.core.training import FUSED
from egonorm.data.dataset import Clips, EvalKey
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.readers.protocol import seconds_of
from egonorm.data.sets import ClipSet, readers_of
from egonorm.data.transforms import SOUND, as_sound_input
from egonorm.data.windows import Window, even_windows
from egonorm.export.saved_clip import Sound
from egonorm.export.video import Media
from egonorm.losses import norms
from egonorm.nets.grad_cam import class_maps
from egonorm.nets.net import Net
from egonorm.runs.config import Run

MAX_FRAMES = 16
"""Frames of a clip that are kept."""
JPEG_QUALITY = 85


@dataclass(frozen=True)
class Moment:
    """A frame of a test window."""

    window: int
    frame: int
    """Its number in the window."""
    time: float
    """Seconds into the medium."""


def windows_of(run: Run, clip: Clip) -> tuple[Window, ...]:
    """The windows that a run judges a clip by."""
    return even_windows(clip.start, clip.stop, run.net.span, run.evaluation.num_windows)


def frame_moments(run: Run, windows: Sequence[Window], most: int = MAX_FRAMES) -> tuple[Moment, ...]:
    """At most so many of the windows' frames, evenly chosen, in the order of time; what two windows show is taken once."""
    times: dict[float, tuple[int, int]] = {}
    for number, window in enumerate(windows):
        for frame, time in enumerate(run.net.span.times(window.start)):
            times.setdefault(round(time, 6), (number, frame))
    moments = [Moment(number, frame, time) for time, (number, frame) in sorted(times.items())]
    places = np.linspace(0, len(moments) - 1, min(most, len(moments))).round().astype(int)
    return tuple(moments[place] for place in places)


def inputs_of(run: Run, data: ClipSet, manifest: Manifest, clip: Clip) -> dict[str, Tensor]:
    """Per modality, what the network is shown of a clip, a row a window."""
    inputs = {name: stream.input for name, stream in run.net.streams.items()}
    clips = Clips(Manifest((clip,), manifest.classes), readers_of(data, inputs), inputs, run.net.span)
    seen = clips[EvalKey(0, run.evaluation.num_windows)].inputs
    return {name: given.to_inputs(seen[name]) for name, given in inputs.items()}


def scores_and_norms(run: Run, net: Net, inputs: dict[str, Tensor]) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The scores per modality and fused, and the lengths of the features, as means over a clip's windows."""
    with torch.no_grad():
        features = net.features(inputs)
        logits = {FUSED: net.classify(features)} | net.classify_each(features)
    score = (lambda x: x.softmax(dim=1)) if run.evaluation.average == "softmax" else (lambda x: x)
    scores = {name: score(x.float()).mean(dim=0).numpy() for name, x in logits.items()}
    return scores, {name: float(norms(x).mean()) for name, x in features.items()}


def find_maps(
    run: Run, net: Net, inputs: dict[str, Tensor], windows: Sequence[Window], moments: Sequence[Moment], label: int
) -> dict[tuple[int, str, str], Float[np.ndarray, "..."]]:
    """The maps of a class, as a saved clip has them: at the moments of what is seen, in the middle window of what is heard."""
    labels = torch.full((len(windows),), label)
    found = {FUSED: class_maps(net, inputs, labels)}
    if run.net.fusion == "sum":  # then they are the same
        found["own"] = found[FUSED]
    else:
        found["own"] = {name: class_maps(net, inputs, labels, name)[name] for name in net.encoders}
    places = [(moment.window, (moment.frame + 0.5) / run.net.span.num_frames) for moment in moments]
    chosen = {}
    for how, maps in found.items():
        for name, x in maps.items():
            heard = run.net.streams[name].input.reads == SOUND
            chosen[label, how, name] = (x[middle(windows)] if heard else _at(x, places)).numpy()
    return chosen


def middle(windows: Sequence[Window]) -> int:
    """The number of the middle window, the later of two."""
    return len(windows) // 2


def _at(
    maps: Float[Tensor, "window frame height width"], places: Sequence[tuple[int, float]]
) -> Float[Tensor, "n h w"]:
    """The maps at places among their windows' frames, 0 to 1: between the middles of two of a map's frames, part of each."""
    last, chosen = maps.shape[1] - 1, []
    for window, place in places:
        at = min(max(place * (last + 1) - 0.5, 0.0), float(last))
        low = int(at)
        chosen.append(torch.lerp(maps[window, low], maps[window, min(low + 1, last)], at - low))
    return torch.stack(chosen)


def shown_frames(
    run: Run, media: Media, clip: Clip, windows: Sequence[Window], moments: Sequence[Moment]
) -> tuple[bytes, ...]:
    """The pictures at the moments as the network is shown them when it is tested, JPEG; none where there are no pictures."""
    if media.pictures is None:
        return ()
    span = run.net.span
    given = media.pictures[1]
    shown = given.augment(media.seen(span)(clip.media, windows), None)
    encode = lambda x: simplejpeg.encode_jpeg(x.contiguous().numpy(), quality=JPEG_QUALITY, colorspace="RGB")  # noqa: E731
    return tuple(encode(shown[moment.window, moment.frame]) for moment in moments)


def sounds_of(run: Run, data: ClipSet, clip: Clip, window: Window) -> dict[str, Sound]:
    """What each stream that hears is shown in a window, and the waveform of the same stretch."""
    found = {}
    for name, stream in run.net.streams.items():
        if (given := stream.input).reads == SOUND:
            look = as_sound_input(given, name).spectrogram
            reader = data.reader(name, given)
            heard = reader(clip.media, [window])
            latest = max(0.0, seconds_of(reader, clip.media) - look.seconds)
            start = min(max(0.0, (window.start + window.stop - look.seconds) / 2), latest)
            rows = np.array(cast(Any, look).frequencies, dtype=np.float32)
            found[name] = Sound(
                given.to_inputs(heard)[0, 0].numpy(), rows, heard[0].numpy(), start, start + look.seconds
            )
    return found
