"""Saved clips: what a run's network saw of a clip, what it answered, and where it found that; read without network or data."""

import io
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import simplejpeg
from jaxtyping import Float, UInt8

from egonorm.core import RunError
from egonorm.core.files import KEY, Format, fitting, parse_json, write_atomically
from egonorm.core.npz import UNREADABLE, check_npz
from egonorm.core.training import FUSED

FOLDER = "clips"
CLIP = Format("a saved clip", "remove the file: it is made again where the run's data are")


@dataclass(frozen=True, eq=False)
class Sound:
    """What a stream was shown of the sound in the middle window."""

    look: Float[np.ndarray, "frequency time"]
    """The spectrogram, low frequencies first."""
    frequencies: Float[np.ndarray, " frequency"]
    """The frequency of each row, in hertz."""
    waveform: Float[np.ndarray, " sample"]
    """The same stretch as it sounds."""
    start: float
    """Seconds into the medium."""
    stop: float


@dataclass(frozen=True, eq=False)
class SavedClip:
    """A clip as the network of one checkpoint saw it in its test windows."""

    run: str
    """The name of the run's folder."""
    method: str
    seed: int
    step: int
    uid: str
    domain: str
    label: int
    """The number of the true class."""
    classes: tuple[str, ...]
    start: float
    """Where the action begins, in seconds into the medium."""
    stop: float
    missing: str = ""
    """Why there are no maps; empty if there are."""
    note: str = ""
    """What one should know of maps and scores."""
    times: tuple[float, ...] = ()
    """The moments of the frames, in seconds into the medium."""
    frames: tuple[bytes, ...] = ()
    """The pictures at these moments, JPEG, cropped as the network sees them; none where there are no pictures."""
    sounds: dict[str, Sound] = field(default_factory=dict)
    """Per modality that is heard."""
    maps: dict[tuple[int, str, str], Float[np.ndarray, "..."]] = field(default_factory=dict)
    """By class, logit (`fused` or `own`) and modality: `frame height width` if seen, `frequency time` if heard."""
    scores: dict[str, Float[np.ndarray, " label"]] = field(default_factory=dict)
    """Per modality and `fused`, the mean over the test windows."""
    norms: dict[str, float] = field(default_factory=dict)
    """Per modality, the mean length of the feature."""

    @property
    def answer(self) -> int:
        """The class that the fused scores put first."""
        return int(self.scores[FUSED].argmax())

    def pictures(self) -> list[UInt8[np.ndarray, "height width 3"]]:
        """The frames as pixels."""
        return [simplejpeg.decode_jpeg(frame, "RGB") for frame in self.frames]

    def maps_of(self, label: int, logit: str = FUSED) -> dict[str, Float[np.ndarray, "..."]]:
        """Per modality, the map of a class: for the fused logit those of all, for a modality's own logit that one alone.

        Only the true class and the answer have maps.
        """
        kind = FUSED if logit == FUSED else "own"
        found = {name: x for (number, how, name), x in self.maps.items() if (number, how) == (label, kind)}
        return found if logit == FUSED else {name: x for name, x in found.items() if name == logit}


_ABOUT = (
    *("run", "method", "seed", "step", "uid", "domain", "label", "classes"),
    *("start", "stop", "missing", "note", "times", "norms"),
)
"""The fields of a saved clip that are not arrays."""


def file_name(uid: str) -> str:
    """A clip's uid as part of a file's name."""
    return fitting(quote(uid, safe="", errors="surrogatepass"), 150)


def clip_path(folder: Path, uid: str) -> Path:
    """The file of a run's saved clip."""
    return folder / FOLDER / f"{file_name(uid)}.npz"


def video_path(folder: Path, uid: str) -> Path:
    """The file that one can play."""
    return clip_path(folder, uid).with_suffix(".mp4")


def write_clip(folder: Path, clip: SavedClip) -> None:
    """Save a clip of a run, all or nothing."""
    arrays = {f"frames/{k:02d}": np.frombuffer(frame, np.uint8) for k, frame in enumerate(clip.frames)}
    arrays |= {f"scores/{name}": x for name, x in clip.scores.items()}
    arrays |= {f"maps/{label}/{how}/{name}": x.astype(np.float32) for (label, how, name), x in clip.maps.items()}
    for name, sound in clip.sounds.items():
        arrays |= {
            f"sounds/{name}/look": sound.look.astype(np.float16),
            f"sounds/{name}/frequencies": sound.frequencies,
            f"sounds/{name}/waveform": sound.waveform.astype(np.float16),
            f"sounds/{name}/extent": np.array([sound.start, sound.stop]),
        }
    about = {KEY: CLIP.version} | {name: getattr(clip, name) for name in _ABOUT}
    file = io.BytesIO()
    named: dict[str, Any] = {"about": np.array(json.dumps(about)), **arrays}
    np.savez_compressed(file, **named)
    write_atomically(clip_path(folder, clip.uid), file.getvalue())


def read_clip(folder: Path, uid: str) -> SavedClip | None:
    """A saved clip of a run; None where it was not saved. RunError for a file that cannot be read, or of another version."""
    path = clip_path(folder, uid)
    if not path.exists():
        return None
    try:
        check_npz(path)
        with path.open("rb") as file, np.load(file) as arrays:
            about = parse_json(str(arrays["about"]))
            CLIP.check(path, about.pop(KEY, 1))
            return _from_arrays(about, {name: arrays[name] for name in arrays.files})
    except (*UNREADABLE, AttributeError, zlib.error) as error:
        raise RunError(
            f"{path} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            expected="a saved clip",
            remedy="Remove the file; it is made again where the run's data are.",
        ) from None


def _from_arrays(about: dict, arrays: dict[str, np.ndarray]) -> SavedClip:
    about |= {name: tuple(about[name]) for name in ("classes", "times")}
    parts: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in ("frames", "scores", "maps", "sounds")}
    for name, x in arrays.items():
        kind, _, rest = name.partition("/")
        if kind in parts:
            parts[kind][rest] = x
    names = dict.fromkeys(rest.partition("/")[0] for rest in parts["sounds"])
    return SavedClip(
        **about,
        frames=tuple(parts["frames"][k].tobytes() for k in sorted(parts["frames"])),
        scores=parts["scores"],
        maps={_key(rest): x for rest, x in parts["maps"].items()},
        sounds={name: _sound(parts["sounds"], name) for name in names},
    )


def _key(text: str) -> tuple[int, str, str]:
    label, how, name = text.split("/")
    return int(label), how, name


def _sound(arrays: dict[str, np.ndarray], name: str) -> Sound:
    look, frequencies, waveform, extent = (
        arrays[f"{name}/{part}"].astype(np.float32) for part in ("look", "frequencies", "waveform", "extent")
    )
    return Sound(look, frequencies, waveform, *map(float, extent))
