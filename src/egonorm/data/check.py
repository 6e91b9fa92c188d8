"""Examine media before they are needed: everything that is missing, broken or too short is named at once."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from egonorm.core import DataError
from egonorm.data.manifest import Clip, Manifest
from egonorm.data.readers.protocol import Reader

OVERRUN_TOLERANCE = 0.25
"""Seconds by which a clip may outlast its medium: rounded times, and tracks of unequal length."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one medium in one modality, and which clips cannot be used because of it."""

    media: str
    modality: str
    error: DataError
    uids: tuple[str, ...]


def find_problems(
    manifest: Manifest,
    readers: Mapping[str, Reader],
    thorough: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Problem, ...]:
    """Examine every medium that the clips name, in every modality; `thorough` decodes all of it."""
    clips = defaultdict(list)
    for clip in manifest.clips:
        clips[clip.media].append(clip)
    jobs = [(media, modality) for media in clips for modality in readers]
    problems = []
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda job: _examine(job[0], job[1], clips[job[0]], readers[job[1]], thorough), jobs)
        for done, found in enumerate(results, start=1):
            problems += found
            progress(done, len(jobs))
    return tuple(problems)


def _examine(media: str, modality: str, clips: list[Clip], reader: Reader, thorough: bool) -> list[Problem]:
    try:
        seconds = reader.examine(media, thorough)
    except DataError as error:
        return [Problem(media, modality, error, tuple(clip.uid for clip in clips))]
    late = [clip for clip in clips if clip.stop > seconds + OVERRUN_TOLERANCE]
    return [Problem(media, modality, _too_late(late, seconds), tuple(clip.uid for clip in late))] if late else []


def _too_late(late: list[Clip], seconds: float) -> DataError:
    return DataError(
        f"{late[0].media} ends before {len(late)} of its clips.",
        got=f"a clip that stops at {max(clip.stop for clip in late):g} s",
        expected=f"at most {seconds:.2f} s, where the medium ends",
        remedy="Correct the clips' times, or get the whole file.",
    )
