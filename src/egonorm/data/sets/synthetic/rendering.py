"""From a configuration to a folder of kitchens: what is asked for, what is there already, and MP4 files."""

import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import av
import numpy as np

from egonorm.core import DataError
from egonorm.core.files import ANOTHER, KEY, Format, parse_json, refuse_foreign, write_atomically
from egonorm.core.processes import in_processes
from egonorm.data.manifest import write_manifest
from egonorm.data.sets.synthetic.displacement import displacements, pack_flow
from egonorm.data.sets.synthetic.looks import Look, draw_look
from egonorm.data.sets.synthetic.rooms import SAMPLE_RATE, Room, draw_room
from egonorm.data.sets.synthetic.scene import frames
from egonorm.data.sets.synthetic.sounds import soundtrack
from egonorm.data.sets.synthetic.timeline import FRAME_RATE, LEAST, KitchenVideo, counts, plan_videos
from egonorm.data.sets.synthetic.verbs import CLASSES

KITCHENS = Format("rendered kitchens", "render the kitchens again in another folder", error=DataError)
EDITION = 2
"""Raised by every change that alters pictures, sounds, flow or times, so that an old folder is not mixed with a new one."""
LEAST_CLIPS = sum(LEAST.values()) * len(CLASSES)
LEAST_SIZE = 32


@dataclass(frozen=True)
class KitchensConfig:
    """How many kitchens, how many clips in each, which ones (the seed), and how large the pictures are."""

    clips: int = 240
    """Clips per kitchen, a quarter of them for testing; at least 24: two to train on and one to test on of a verb."""
    kitchens: int = 3
    """How many kitchens: D1, D2, D3, ..."""
    seed: int = 0
    """Which kitchens: every random factor is drawn from (seed, kitchen, clip)."""
    size: tuple[int, int] = (240, 320)
    """Height and width of the pictures: even numbers, at least 32."""

    def __post_init__(self):
        if self.clips < LEAST_CLIPS:
            raise DataError(
                "Too few clips per kitchen.",
                got=self.clips,
                expected=f"at least {LEAST_CLIPS}",
                remedy="Two clips for training and one for testing are needed of each verb.",
            )
        if self.kitchens < 1:
            raise DataError("Too few kitchens.", got=self.kitchens, expected="at least 1", remedy="Ask for one.")
        if self.seed < 0:
            raise DataError("The seed is negative.", got=self.seed, expected="0 or more", remedy="Choose another seed.")
        if len(self.size) != 2 or any(side < LEAST_SIZE or side % 2 for side in self.size):
            raise DataError(
                "Pictures of this size cannot be rendered.",
                got=self.size,
                expected=f"height and width, even numbers of at least {LEAST_SIZE}",
                remedy="Choose another size, for example (240, 320).",
            )


def describe_config(config: KitchensConfig) -> dict[str, Any]:
    """The content of kitchens.json: the configuration, the classes in EPIC's order, and every kitchen's factors."""
    return {
        KEY: KITCHENS.version,
        "config": {"edition": EDITION, **asdict(config), "size": list(config.size)},
        "classes": list(CLASSES),
        "kitchens": {f"D{kitchen}": _kitchen(config, kitchen) for kitchen in range(1, config.kitchens + 1)},
    }


def _kitchen(config: KitchensConfig, kitchen: int) -> dict[str, Any]:
    look, room = draw_look(config.seed, kitchen), draw_room(config.seed, kitchen)
    return {
        "summary": _summary(look, room),
        "counts": {split: counts(kitchen, split, config.clips) for split in ("train", "test")},
        "look": _rounded(asdict(look)),
        "room": _rounded(asdict(room)),
    }


def _summary(look: Look, room: Room) -> str:
    hands = "gloved" if look.gloved else "bare"
    light = "dim" if look.brightness < 0.78 else "bright" if look.brightness > 0.96 else "evenly lit"
    tint = "warm" if look.warmth > 0.05 else "cold" if look.warmth < -0.05 else "neutral"
    return (
        f"A {light} kitchen in {tint} light: wall {_hex(look.wall)}, counter {_hex(look.counter)}, cupboards "
        f"{_hex(look.cupboard)}; {hands} hands {_hex(look.hand)}, the right one acts in {look.right_handed:.0%} of the "
        f"actions; {', '.join(look.utensils)} and a {look.vessel}. Reverberation {room.reverberation:.2f} s, hum at "
        f"{room.hum:.0f} Hz, a microphone from {room.microphone_low:.0f} to {room.microphone_high:.0f} Hz."
    )


def _hex(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in colour)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return round(value, 5) if isinstance(value, float) else value


DESCRIPTION = "kitchens.json"
MANIFEST = "manifest.csv"


def flow_of(media: str) -> str:
    """Where the flow of a video lies, below the root as the video itself."""
    return str(PurePosixPath("flow", media).with_suffix(".tar"))


def read_config(root: Path) -> dict[str, Any]:
    """The configuration that a folder of kitchens was rendered with.

    Raises:
        DataError: its description cannot be read, or is of another version.
    """
    path = root / DESCRIPTION
    try:
        tree = parse_json(path.read_text(encoding="utf-8"))
        KITCHENS.check(path, tree.get(KEY, 1))
        return dict(tree["config"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            f"{path} does not describe kitchens.", got="other content", expected="an object with config", remedy=ANOTHER
        ) from None


def claim_kitchens(root: Path, description: dict[str, Any]) -> None:
    """Make a folder ours by writing its description; one that holds the same description may go on.

    Raises:
        DataError: the folder holds something else, which is left as it is.
    """
    path = root / DESCRIPTION
    if path.is_file():
        _check_same(root, json.loads(json.dumps(description)))
        return
    refuse_foreign(root, "rendered kitchens", DESCRIPTION, DataError)
    write_atomically(path, (json.dumps(description, indent=2) + "\n").encode())


def _check_same(root: Path, description: dict[str, Any]) -> None:
    found = read_config(root)
    if found != description["config"]:
        raise DataError(
            f"{root} holds kitchens of another configuration.",
            got=found,
            expected=description["config"],
            remedy=ANOTHER,
        )


VIDEO_ENCODER = {
    "preset": "veryfast",
    "crf": "20",
    "threads": "1",
    "g": "15",
    "bf": "0",
    "sc_threshold": "0",
    "x264-params": "cpu-independent=1",
}
"""One thread, and no arithmetic that processors do each in its way: the same pictures give the same bytes on any number of
cores of any kind. A key frame every half second."""
CHUNK = 1024
"""Samples in one packet of AAC."""


def encode_movie(pictures: Iterable[np.ndarray], sound: np.ndarray, size: tuple[int, int]) -> bytes:
    """The file's bytes; pictures are uint8 height x width x 3, sound is float32 in -1..1."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FRAME_RATE, options=VIDEO_ENCODER)
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", options={"aac_coder": "fast"})
        audio.bit_rate = 96_000
        heard = 0
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
            container.mux(video.encode(frame))
            due = min((number + 1) * SAMPLE_RATE // FRAME_RATE + CHUNK, len(sound))
            while heard < due:
                container.mux(audio.encode(_audio(sound, heard)))
                heard += CHUNK
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return file.getvalue()


def _audio(sound: np.ndarray, start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None, start : start + CHUNK]), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
    return frame


Progress = Callable[[int, int], None]


def render_kitchens(
    root: Path, config: KitchensConfig, workers: int | None = None, progress: Progress | None = None, flow: bool = False
) -> Path:
    """Render the kitchens into a folder, if asked for with their optical flow, and return the path of its manifest.

    What has been rendered is kept: an interrupted call can be repeated, a finished one returns at once, and flow can be
    added later. `workers` is the number of processes, by default the number of CPUs; `progress` hears how many files
    are done, of how many. As with every use of processes, a script calls this under `if __name__ == "__main__":`, or
    with `workers=1`.

    Raises:
        DataError: the folder holds something else; nothing is changed.
        RunError: it cannot be written, or a process is lost; finished files are kept.
    """
    progress = progress or (lambda done, of: None)
    claim_kitchens(root, describe_config(config))
    videos = [
        video for kitchen in range(1, config.kitchens + 1) for video in plan_videos(config.seed, kitchen, config.clips)
    ]
    files = {name: video for video in videos for name in (video.media, flow_of(video.media))[: 1 + flow]}
    missing = {name: video for name, video in files.items() if not (root / name).is_file()}
    done = len(files) - len(missing)
    progress(done, len(files))
    jobs = [(root, name, video, config.size) for name, video in missing.items()]
    for count, _ in enumerate(in_processes(render_file, jobs, workers or os.cpu_count() or 1), done + 1):
        progress(count, len(files))
    if missing or not (root / MANIFEST).is_file():
        write_manifest(root / MANIFEST, [clip for video in videos for clip in video.clips()])
    return root / MANIFEST


def render_file(root: Path, name: str, video: KitchenVideo, size: tuple[int, int]) -> None:
    """Render a file of a video: the pictures with their sound, or the flow."""
    if name == video.media:
        write_atomically(root / name, encode_movie(frames(video, size), soundtrack(video), size))
    else:
        write_atomically(root / name, pack_flow(displacements(video, size)))
