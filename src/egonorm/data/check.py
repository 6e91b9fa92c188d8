"""Are all media and domains that are needed there and whole? Everything missing, broken or too short is named at once."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from egonorm.core import DataError, Setting
from egonorm.core.files import write_atomically
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


LEFT_OUT = "left_out.json"
"""Lists what a run was trained and judged without."""


def needed(manifest: Manifest, setting: Setting, trained_on: Sequence[str]) -> Manifest:
    """The clips that a setting trains on and is judged by; sources may be without test clips, the target not.

    Raises:
        SettingError: for a domain that the data does not have.
        DataError: for a domain without clips in a split that is needed.
    """
    setting.check_domains(manifest.domains)
    return usable(manifest, setting, trained_on)


def usable(manifest: Manifest, setting: Setting, trained_on: Sequence[str], left_out: int = 0) -> Manifest:
    """The same of what is left when `left_out` clips could not be used."""
    for domains, split in ((trained_on, "train"), ((setting.target,), "test")):
        empty = [domain for domain in domains if not len(manifest.select([domain], split))]
        if empty:
            raise DataError(
                f"The setting {setting} needs usable {split} clips of {', '.join(empty)}.",
                got=f"none; {left_out} clips were left out" if left_out else "none",
                expected=f"clips of split {split} in each of these domains",
                remedy="Add such clips, mend their media, or choose another setting.",
            )
    return manifest.within({"train": trained_on, "test": setting.domains})


def screen(
    manifest: Manifest, readers: Mapping[str, Reader], skip_broken: bool, progress: Callable[[int, int], None]
) -> tuple[Manifest, tuple[Problem, ...]]:
    """The usable clips, and the problems of those left out.

    Raises:
        DataError: when something is broken and `skip_broken` is false; it names all of it at once.
    """
    problems = find_problems(manifest, readers, progress=progress)
    if problems and not skip_broken:
        raise broken(problems)
    lost = {uid for problem in problems for uid in problem.uids}
    return manifest.without(lost), problems


def broken(problems: Sequence[Problem]) -> DataError:
    """The error that names all problems at once."""
    count = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {len({p.media for p in problems})} media"
    return DataError(
        f"Some media cannot be used.\n{describe_problems(problems)}",
        got=count,
        expected="media that are whole, and clips inside them",
        remedy="Mend them, or go on without them: --skip-broken.",
    )


def describe_problems(problems: Sequence[Problem]) -> str:
    """All problems: what was got and expected once, then a line for each medium with the clips that cannot be used."""
    kinds: dict[tuple[str, ...], dict[tuple[str, tuple[str, ...], str], list[str]]]
    kinds = defaultdict(lambda: defaultdict(list))
    for p in problems:
        kinds[p.error.got, p.error.expected, p.error.remedy][p.media, p.uids, p.error.what].append(p.modality)
    return "\n".join(
        "\n".join(
            [f"  {got} (expected {expected}). {remedy}", *(_line(*medium, names) for medium, names in media.items())]
        )
        for (got, expected, remedy), media in kinds.items()
    )


def _line(media: str, uids: Sequence[str], what: str, modalities: Sequence[str]) -> str:
    shown = ", ".join(uids[:6]) + (f" and {len(uids) - 6} more" if len(uids) > 6 else "")
    return f"    {media} ({'+'.join(modalities)}; clip{'s' * (len(uids) > 1)} {shown}): {what}"


def write_left_out(path: Path, problems: Sequence[Problem]) -> None:
    """Store with the run what it was trained or judged without."""
    entries = [
        {"media": p.media, "modality": p.modality, "clips": list(p.uids), "why": p.error.what, "got": p.error.got}
        for p in problems
    ]
    write_atomically(path, (json.dumps(entries, indent=2) + "\n").encode())
