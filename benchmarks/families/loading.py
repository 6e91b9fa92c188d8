"""Loading training samples out of a recording's JPEG pictures and sound, on one thread as a worker does."""

from collections.abc import Callable, Iterator

import simplejpeg

from benchmarks import simmmdg, tbn
from benchmarks.case import Bench, case
from benchmarks.media import DISTINCT, FPS, MINUTES, NAME, TAR_SECONDS, Recording, make_recording
from benchmarks.ours import clips_of, frame_reader, manifest, samples, sound_reader
from benchmarks.record import Record, at_least
from benchmarks.timing import alternate, ratio, threads, told

SAMPLES = 8
"""Samples in a repetition."""
LOADED = "one training sample (16 JPEG frames of 456 x 256, 1.28 s of sound)"


def from_folder(recording: Recording) -> Callable[[], object]:
    """Our samples out of the folder of pictures."""
    clips = manifest(MINUTES * 60)
    return samples(clips_of(clips, frame_reader(recording.folder), sound_reader(recording)), SAMPLES)


def from_tar(recording: Recording) -> Callable[[], object]:
    """Our samples out of the tar file."""
    clips = manifest(TAR_SECONDS, f"{NAME}.tar", step=0.4)
    return samples(clips_of(clips, frame_reader(recording.folder), sound_reader(recording)), SAMPLES)


def bare_decode(recording: Recording) -> Callable[[], object]:
    """simplejpeg alone on as many pictures, which are in memory: nothing is read, cropped or stacked."""
    encoded = recording.pictures(range(1, DISTINCT, DISTINCT // (16 * SAMPLES)))[: 16 * SAMPLES]
    return lambda: [simplejpeg.decode_jpeg(data) for data in encoded]


@case(quick=True)
def loading_of_the_limit(bench: Bench) -> Iterator[Record]:
    """Ours against the decoding of the same pictures alone."""
    with threads(1):
        recording = make_recording(bench.work)
        actions = {"folder": from_folder(recording), "tar": from_tar(recording), "bare decode": bare_decode(recording)}
        times = alternate(actions, 2 * bench.repeats)
    size = (recording.folder / NAME / "frame_0000000001.jpg").stat().st_size / 1e3
    detail = (
        f"{told(times, SAMPLES, 'ms')} a sample; {MINUTES * 60 * FPS} names of {DISTINCT} pictures of {size:.0f} kB"
    )
    for place, whose in {"folder": "a folder", "tar": f"a tar file of {TAR_SECONDS} s"}.items():
        yield Record(
            f"loading-{place}-of-the-limit",
            f"{LOADED} out of {whose}, share of simplejpeg's bare rate",
            ratio(times, "bare decode", place),
            at_least(0.9),
            detail=detail,
        )


@case(quick=True)
def loading_over_tbn(bench: Bench) -> Iterator[Record]:
    """Ours against Temporal Binding Network's dataset, in both of its ways with sound."""
    folder = bench.peers.of("tbn")
    with threads(1):
        recording = make_recording(bench.work)
        ways = {"TBN, sound in memory": True, "TBN, sound from files": False}
        actions = {name: tbn.loader(folder, recording, kept, SAMPLES) for name, kept in ways.items()}
        times = alternate({"ours": from_folder(recording)} | actions, bench.repeats)
    for name, kept in ways.items():
        where, goal = ("memory", at_least(5)) if kept else ("files", None)
        yield Record(
            f"loading-over-tbn-{where}",
            f"{LOADED}, over {name}{' (its default)' * kept}",
            ratio(times, name, "ours"),
            goal,
            detail=f"{told(times, SAMPLES, 'ms')} a sample",
        )


@case(quick=True)
def loading_over_simmmdg(bench: Bench) -> Iterator[Record]:
    """Ours against SimMMDG's dataset."""
    folder = bench.peers.of("simmmdg")
    with threads(1):
        recording = make_recording(bench.work)
        actions = {"ours": from_folder(recording), "SimMMDG": simmmdg.loader(folder, recording, SAMPLES)}
        times = alternate(actions, bench.repeats)
    yield Record(
        "loading-over-simmmdg",
        f"{LOADED}, over SimMMDG",
        ratio(times, "SimMMDG", "ours"),
        at_least(5),
        detail=f"{told(times, SAMPLES, 'ms')} a sample",
    )
