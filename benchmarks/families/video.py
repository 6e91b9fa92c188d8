"""Loading out of H.264 with distant keyframes, as it is and packed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import av

from benchmarks.case import Bench, case
from benchmarks.families.loading import SAMPLES, from_folder
from benchmarks.media import KEYFRAMES, NAME, VIDEO_SECONDS, Recording, make_recording
from benchmarks.ours import INPUTS, SPAN, clips_of, manifest, samples, sound_reader
from benchmarks.processes import call
from benchmarks.record import Record, Skip, Spread, at_least
from benchmarks.timing import alternate, ratio, threads, told
from egonorm.data import Manifest, write_manifest
from egonorm.data.readers.video import VideoReader
from egonorm.data.sets import open_clip_set

MP4 = f"{NAME}.mp4"


def clips_in_video() -> Manifest:
    """Clips all over the video."""
    return manifest(VIDEO_SECONDS, MP4, step=0.3)


def from_video(recording: Recording) -> Callable[[], object]:
    """Our samples out of the video."""
    reader = VideoReader(recording.video, SPAN, INPUTS["rgb"].short_side)
    return samples(clips_of(clips_in_video(), reader, sound_reader(recording)), SAMPLES)


def bare_video(recording: Recording) -> Callable[[], object]:
    """PyAV alone: from the keyframe before a window decode up to its end, and convert its sixteen frames."""
    random = Random(0)

    def window() -> None:
        start = random.uniform(1, VIDEO_SECONDS - 2)
        with av.open(str(recording.video / MP4)) as container:
            stream = container.streams.video[0]
            container.seek(int(start / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.time >= start and round((frame.time - start) * 60) % 2 == 0:
                    frame.to_ndarray(format="rgb24")
                if frame.time >= start + SPAN.seconds:
                    return

    return lambda: [window() for _ in range(SAMPLES)]


def packed(recording: Recording) -> Path:
    """What `egonorm data pack` makes of the video; the clips have no sound there."""
    out, source = recording.root / "packed", recording.video
    if not out.exists():
        write_manifest(source / "manifest.csv", clips_in_video().clips)
        code, said = call("egonorm", "data", "pack", f"folder:{source}", "--modalities", "rgb", "--out", str(out))
        if code:
            raise Skip(f"egonorm data pack failed: {said.splitlines()[-1] if said else code}")
    return out


@case()
def video_of_the_limit(bench: Bench) -> Iterator[Record]:
    """Ours against the decoding of the frames between the keyframe before a window and its end."""
    with threads(1):
        recording = make_recording(bench.work)
        actions = {"ours": from_video(recording), "bare decode": bare_video(recording), "JPEG": from_folder(recording)}
        times = alternate(actions, bench.repeats)
    yield Record(
        "video-of-the-limit",
        f"one training sample out of H.264 with a keyframe every {KEYFRAMES} frames, share of the "
        "bare rate from the keyframe before to its end",
        ratio(times, "bare decode", "ours"),
        at_least(0.9),
        detail=f"{told(times, SAMPLES, 'ms')} a sample",
    )


@case(quick=True)
def video_packed(bench: Bench) -> Iterator[Record]:
    """The packed video against the folder of JPEG pictures, and against the video; and what it costs on the disk."""
    with threads(1):
        recording = make_recording(bench.work)
        folder = packed(recording)
        data = open_clip_set(f"packed:{folder}")
        clips = clips_of(data.manifest, data.reader("rgb", INPUTS["rgb"]), sound_reader(recording))
        actions = {"packed": samples(clips, SAMPLES), "JPEG": from_folder(recording), "H.264": from_video(recording)}
        times = alternate(actions, bench.repeats)
    detail = f"{told(times, SAMPLES, 'ms')} a sample"
    what = "one training sample out of what `egonorm data pack` makes of it, rate over that out of"
    for name, goal in {"JPEG": at_least(0.9), "H.264": None}.items():
        whose = "a folder of JPEG pictures" if goal else "the video itself"
        yield Record(
            f"video-packed-over-{name.lower()}", f"{what} {whose}", ratio(times, name, "packed"), goal, detail=detail
        )
    yield _on_the_disk(folder, recording.video)


def _on_the_disk(folder: Path, video: Path) -> Record:
    sizes = [sum(file.stat().st_size for file in place.rglob("*.*")) / 1e6 for place in (folder, video)]
    detail = (
        f"the video {sizes[1] / VIDEO_SECONDS:.2f} MB; procedural pictures need fewer bytes than a kitchen's in H.264"
    )
    return Record(
        "video-packed-disk",
        "what is packed takes on the disk for a second of 60 pictures of 456 x 256",
        Spread.of([sizes[0] / VIDEO_SECONDS]),
        unit="MB",
        detail=detail,
    )
