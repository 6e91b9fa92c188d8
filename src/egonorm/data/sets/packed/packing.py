"""Packs the media of any data: every picture as JPEG with its time, all sound as WAV; in parallel, going on where it stopped."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from egonorm.core import DataError, RunError
from egonorm.core.files import locked, remove_left
from egonorm.core.processes import Killed, in_forks
from egonorm.data.check import Problem, deadly, end_of, find_problems, harmful
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.readers.protocol import Reader
from egonorm.data.readers.timed_images import index_of, write_shots
from egonorm.data.readers.wav import write_wav
from egonorm.data.sets import ClipSet
from egonorm.data.sets.packed.dataset import WAV, reader_in
from egonorm.data.sets.packed.store import Packing, claim_packed, write_digests
from egonorm.data.sets.packed.whole import shots_of, sound_of
from egonorm.data.transforms import Input

CLIP_MARGIN = 2.0
"""Seconds around a clip that its windows may show: half of one that is longer than the clip, and some more."""
Stretches = tuple[tuple[float, float], ...]
"""Where pictures are wanted, in seconds: sorted, and apart."""


@dataclass(frozen=True)
class PackJob:
    """A medium in one modality, and where to."""

    media: str
    modality: str
    reader: Reader
    path: Path
    quality: int
    wanted: Stretches

    @property
    def is_done(self) -> bool:
        """Whether it has been packed: the index of pictures is written last."""
        return (self.path if self.path.suffix == WAV else index_of(self.path)).is_file()


@dataclass(frozen=True)
class Made:
    """What a job has made."""

    media: str
    seconds: float
    size: int
    """Bytes that were written."""
    source: Path
    """What they were made of."""


@dataclass(frozen=True)
class Packed:
    """What a call has done."""

    made: tuple[Made, ...]
    problems: tuple[Problem, ...]
    """Media that are broken, and clips that outlast theirs."""


def pack_data(
    data: ClipSet,
    inputs: Mapping[str, Input],
    root: Path,
    packing: Packing,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Packed:
    """Pack what is missing of every medium and modality; with `finish`, which writes the clips, the folder becomes data.

    Each medium is read in a process that others do without: one that brings its process down is a problem of its own.

    Raises:
        DataError: for a folder of other data, or a modality that the data do not have.
        RunError: when nothing can be written, or another call is at it; what was packed stands.
    """
    readers = {modality: data.reader(modality, given) for modality, given in inputs.items()}
    packed = {modality: reader_in(root / modality, given) for modality, given in inputs.items()}
    claim_packed(root, packing)
    taken = lambda: RunError(  # noqa: E731
        f"{root} is being filled by another process.",
        got="a locked folder",
        expected="one call at a time",
        remedy="Wait until it ends.",
    )
    made, broken = [], []
    with locked(root / ".lock", wait=False, taken=taken):
        remove_left(root, *(root / modality for modality in inputs))
        jobs = list(_jobs(data.manifest.clips, readers, packed, packing))
        missing = [job for job in jobs if not job.is_done]
        done = len(jobs) - len(missing)
        progress(done, len(jobs))
        pack = lambda number: pack_medium(missing[number])  # noqa: E731
        for count, (number, found) in enumerate(in_forks(pack, len(missing), workers), done + 1):
            job = missing[number]
            if isinstance(found, Made):
                made.append(found)
            else:
                error = deadly(job.media, found) if isinstance(found, Killed) else found
                broken.append((job.media, job.modality, error))
            progress(count, len(jobs))
        remove_left(*(root / modality for modality in inputs))
    return Packed(tuple(made), _problems(data.manifest, packed, broken))


def pack_medium(job: PackJob) -> Made | DataError:
    """Pack a medium, or say what is wrong with it; then nothing of it is left."""
    try:
        reader, name = _file_reader(job.reader, job.media)
        seconds = reader.examine(name)
        if job.path.suffix == WAV:
            write_wav(job.path, sound_of(reader, name), reader.look.rate)
            write_digests([job.path])
        else:
            write_shots(job.path, shots_of(reader, name), seconds, job.quality, partial(is_wanted, job.wanted))
            write_digests([job.path, index_of(job.path)])
    except DataError as error:
        return error
    return Made(job.media, seconds, job.path.stat().st_size, reader.root / name)


def _file_reader(reader: Reader, media: str) -> tuple[Any, str]:
    """The reader that opens a medium itself, which has a `root` (and for sound a `look`), and the medium's name below that."""
    return end_of(reader, media)


def _jobs(
    clips: Iterable[Clip], readers: Mapping[str, Reader], packed: Mapping[str, Reader], packing: Packing
) -> Iterator[PackJob]:
    by_media = defaultdict(list)
    for clip in clips:
        by_media[clip.media].append((clip.start - CLIP_MARGIN, clip.stop + CLIP_MARGIN))
    for media, stretches in by_media.items():
        wanted = joined(stretches) if packing.clips else ((-inf, inf),)
        for modality, reader in readers.items():
            target, name = _file_reader(packed[modality], media)
            yield PackJob(media, modality, reader, target.root / name, packing.quality, wanted)


def joined(stretches: Iterable[tuple[float, float]]) -> Stretches:
    """The same moments, sorted, those that touch as one."""
    found: list[tuple[float, float]] = []
    for start, stop in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return tuple(found)


def is_wanted(wanted: Stretches, start: float, stop: float) -> bool:
    """Whether a stretch lies, if only in part, between two times."""
    place = bisect_right(wanted, start, key=lambda stretch: stretch[1])
    return place < len(wanted) and wanted[place][0] < stop


def _problems(
    manifest: Manifest, packed: Mapping[str, Reader], broken: list[tuple[str, str, DataError]]
) -> tuple[Problem, ...]:
    """What is broken, with the clips that it costs, and of what was packed the clips that outlast it."""
    uids = defaultdict(list)
    for clip in manifest.clips:
        uids[clip.media].append(clip.uid)
    problems = [Problem(media, modality, error, tuple(uids[media])) for media, modality, error in broken]
    lost = {media for media, _, _ in broken}
    found = find_problems(manifest.keep(lambda clip: clip.media not in lost), packed)
    return (*problems, *harmful(found))
