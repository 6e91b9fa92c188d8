"""Are all media and domains that are needed there and whole? Everything missing, broken or too short is named at once.

Media are examined in copies of the process, which may be brought down.
"""

import json
import os
import traceback
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from egonorm.core import DataError, PartlyBrokenError, Setting
from egonorm.core.errors import some
from egonorm.core.files import write_atomically
from egonorm.core.processes import Killed, in_forks
from egonorm.core.text import one_line
from egonorm.data.manifest import CLASSES_FILE, SPLITS, Clip, Manifest
from egonorm.data.readers.protocol import Pointer, Reaching, Reader

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
    """Examine every medium that the clips name, in every modality; `thorough` decodes all of it.

    Problems that concern no clip are there too. Files for FFmpeg are examined in processes of their own: one that brings its
    process down is named, and the others are examined all the same.
    """
    clips = defaultdict(list)
    for clip in manifest.clips:
        clips[clip.media].append(clip)
    jobs = [(media, modality) for media in clips for modality in readers]
    look = lambda job: _examine(job[0], job[1], clips[job[0]], readers[job[1]], thorough)  # noqa: E731
    here: list[int] = []
    apart: list[int] = []
    for number, (media, modality) in enumerate(jobs):
        (here if _examined_here(readers[modality], media) else apart).append(number)
    found: dict[int, list[Problem]] = {}
    workers = min(32, os.cpu_count() or 1)
    for number, answer in in_forks(lambda number: look(jobs[apart[number]]), len(apart), workers):
        media, modality = jobs[apart[number]]
        if isinstance(answer, Killed):
            answer = [Problem(media, modality, deadly(media, answer), tuple(clip.uid for clip in clips[media]))]
        found[apart[number]] = answer
        progress(len(found), len(jobs))
    with ThreadPoolExecutor() as pool:
        for number, answer in zip(here, pool.map(lambda number: look(jobs[number]), here), strict=True):
            found[number] = answer
            progress(len(found), len(jobs))
    return tuple(problem for number in range(len(jobs)) for problem in found[number])


def end_of(reader: Reader, media: str) -> tuple[Reader, str]:
    """The reader that opens a medium itself, and the medium's name below its root."""
    while isinstance(reader, Pointer):
        reader, media = reader.reader_of(media)
    return reader, media


def _examined_here(reader: Reader, media: str) -> bool:
    """Whether what examining finds is kept for reading, or nothing is decoded: it is done in this process."""
    try:
        return getattr(end_of(reader, media)[0], "EXAMINED_HERE", False)
    except DataError:
        return True


def looked_at(readers: Mapping[str, Reader], manifest: Manifest, thorough: bool) -> dict[str, tuple[str, ...]]:
    """What examining looks at, in each modality: a text for each kind of medium."""
    found: dict[str, dict[str, None]] = {modality: {} for modality in readers}
    for media in dict.fromkeys(clip.media for clip in manifest.clips):
        for modality, reader in readers.items():
            with suppress(DataError):
                quick, whole = getattr(end_of(reader, media)[0], "LOOKED_AT", _UNTOLD)
                found[modality][whole if thorough else quick] = None
    return {modality: tuple(texts) for modality, texts in found.items()}


_UNTOLD = ("what its reader looks at", "what its reader looks at when it is to be thorough")


def _examine(media: str, modality: str, clips: list[Clip], reader: Reader, thorough: bool) -> list[Problem]:
    problems, lost = [], set()
    try:
        seconds = reader.examine(media, thorough)
    except PartlyBrokenError as error:
        seconds = error.seconds
        touched = [clip.uid for clip in clips if _touches(clip, error, end_of(reader, media)[0])]
        problems, lost = [Problem(media, modality, error, tuple(touched))], set(touched)
    except DataError as error:
        return [Problem(media, modality, error, tuple(clip.uid for clip in clips))]
    except Exception as error:  # nobody has foreseen it; the other media are examined all the same
        return [Problem(media, modality, _unforeseen(media, error), tuple(clip.uid for clip in clips))]
    late = [clip for clip in clips if clip.stop > seconds + OVERRUN_TOLERANCE and clip.uid not in lost]
    if late:
        problems.append(Problem(media, modality, _too_late(late, seconds), tuple(clip.uid for clip in late)))
    return problems


def _touches(clip: Clip, error: PartlyBrokenError, reader: Reader) -> bool:
    """Whether a window of a clip may need what is broken."""
    if not isinstance(reader, Reaching):
        return True
    start, stop = reader.reach(clip.start, clip.stop, error.seconds)
    return any(start < after and first < stop for first, after in error.places)


def deadly(media: str, how: Killed) -> DataError:
    """The error of a medium that ended the process which read it."""
    return DataError(
        f"{media} brings down the program that reads it.",
        got=how.how,
        expected="a file that is read or refused",
        remedy="Get or copy it again, make a new file of it, or remove its clips.",
    )


def _unforeseen(media: str, error: Exception) -> DataError:
    """The error of a medium that its reader failed at instead of refusing it: it tells where, as the fault may be a program's."""
    (*_, place) = traceback.extract_tb(error.__traceback__)
    return DataError(
        f"{media} cannot be examined.",
        got=f"{type(error).__name__}: {error} ({place.name} in {Path(place.filename).name}, line {place.lineno})",
        expected="a medium that is read or refused",
        remedy="Get it again, or make a new file of it; report this if it stays, with the file.",
    )


def _too_late(late: list[Clip], seconds: float) -> DataError:
    return DataError(
        f"{late[0].media} ends before {len(late)} of its clips.",
        got=f"a clip that stops at {max(clip.stop for clip in late):g} s",
        expected=f"at most {seconds:.2f} s, where the medium ends",
        remedy="Correct the clips' times, or get the whole file.",
    )


LEFT_OUT = "left_out.json"
"""Lists what a run was trained and judged without."""


def needed(manifest: Manifest, setting: Setting, trained_on: Sequence[str], moments: Collection[str] = ()) -> Manifest:
    """The clips that a setting trains on and is judged by, with the classes that are declared or that its sources have.

    A clip without a label has no loss on labels and no score: of the sources it is left out, of a target's test clips too unless
    the network adapts to them. Sources may be without test clips.

    Args:
        moments: when the method sees unlabelled clips of the target (`methods.base.target_moments`).

    Raises:
        SettingError: for a domain that the data does not have.
        DataError: for a domain without clips in a split that is needed, and sources without labels.
    """
    setting.check_domains(manifest.domains)
    refuse_empty(manifest, setting, {"train": trained_on, "test": [setting.target]})
    manifest = manifest.with_classes(manifest.classes_of(setting.sources))
    idle = {
        "train": setting.sources,
        "test": [d for d in setting.domains if d != setting.target or "test" not in moments],
    }
    left = manifest.without_unlabelled(idle)
    unlabelled = [domain for domain in setting.sources if not len(left.select([domain], "train"))]
    if unlabelled:
        raise DataError(
            f"The training clips of {', '.join(unlabelled)} have no labels.",
            got="empty labels alone",
            expected=f"labels of some of them: the setting {setting} learns them",
            remedy="Label some, or choose other sources.",
        )
    return left.within({"train": trained_on, "test": setting.domains})


def refuse_empty(manifest: Manifest, setting: Setting, needs: Mapping[str, Iterable[str]], left_out: int = 0) -> None:
    """Refuse a manifest without clips of a domain in a split that needs it; `left_out` could not be used. DataError."""
    for split, domains in needs.items():
        empty = [domain for domain in domains if not len(manifest.select([domain], split))]
        if empty:
            raise DataError(
                f"The setting {setting} needs usable {split} clips of {', '.join(empty)}.",
                got=f"none; {left_out} clips were left out" if left_out else "none",
                expected=f"clips of split {split} in each of these domains",
                remedy="Add such clips, mend their media, or choose another setting.",
            )


def describe_unlabelled(manifest: Manifest) -> str:
    """A sentence on the clips without a label, by domain and split; empty if there are none."""
    unlabelled = manifest.unlabelled
    counts = {
        domain: {split: len(unlabelled.select([domain], split)) for split in SPLITS} for domain in unlabelled.domains
    }
    if not counts:
        return ""
    each = (f"{domain}: {', '.join(f'{n} {split}' for split, n in of.items() if n)}" for domain, of in counts.items())
    return f"Clips without a label, of which no loss on labels and no score is made: {'; '.join(each)}."


def describe_other_classes(manifest: Manifest) -> str:
    """A sentence on the clips with a label that is none of the manifest's classes; empty if there are none."""
    clips = manifest.of_other_classes.clips
    if not len(clips):
        return ""
    where = "the data declare" if manifest.declared else "a training clip has"
    labels = some(sorted(clips.label.found()))
    return (
        f"Clips with a label that is none that {where}: {len(clips)} ({labels}; clips {some(clips.uid.tolist())}). "
        "Training refuses such clips where it needs their labels, or leaves them out with --skip-broken."
    )


def class_problems(manifest: Manifest) -> tuple[Problem, ...]:
    """The clips with a label that is none of the manifest's classes, medium by medium."""
    clips = defaultdict(list)
    for clip in manifest.of_other_classes.clips:
        clips[clip.media, clip.label].append(clip.uid)
    return tuple(
        Problem(media, "label", _another_class(label, manifest), tuple(uids)) for (media, label), uids in clips.items()
    )


def _another_class(label: str, manifest: Manifest) -> DataError:
    return DataError(
        f"{label} is none of the classes.",
        got=f"the label {label}",
        expected=f"one of {some(manifest.classes)}",
        remedy=f"Correct the labels, give training clips of the sources that label, or declare all classes in {CLASSES_FILE}.",
    )


def screen(
    manifest: Manifest,
    readers: Mapping[str, Reader],
    skip_broken: bool,
    progress: Callable[[int, int], None],
    known: Sequence[Problem] = (),
) -> tuple[Manifest, tuple[Problem, ...]]:
    """The usable clips, and the problems of those left out.

    Args:
        known: what is wrong besides.

    Raises:
        DataError: when something is broken and `skip_broken` is false; it names all of it at once.
    """
    found = find_problems(manifest, readers, progress=progress)
    problems = (*known, *harmful(found))
    if problems and not skip_broken:
        raise broken(problems)
    lost = {uid for problem in problems for uid in problem.uids}
    return manifest.without(lost), problems


def harmful(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems that make clips unusable."""
    return tuple(problem for problem in problems if problem.uids)


def broken(problems: Sequence[Problem]) -> DataError:
    """The error that names all problems at once."""
    count = f"{len(problems)} problem{'s' * (len(problems) > 1)} in {len({p.media for p in problems})} media"
    return DataError(
        f"Some clips cannot be used.\n{describe_problems(problems)}",
        got=count,
        expected="media that are whole, clips inside them, and labels that are learnt",
        remedy="Mend them, or train, extract or pack without these clips: --skip-broken.",
    )


def describe_problems(problems: Sequence[Problem]) -> str:
    """All problems: what was got and expected once, then a line for each medium with the clips that cannot be used."""
    kinds: dict[tuple[str, ...], dict[tuple[str, tuple[str, ...], str], list[str]]]
    kinds = defaultdict(lambda: defaultdict(list))
    for p in problems:
        kinds[p.error.got, p.error.expected, p.error.remedy][p.media, p.uids, p.error.what].append(p.modality)
    return "\n".join(
        "\n".join(
            [
                one_line(f"  {got} (expected {expected}). {remedy}"),
                *(one_line(_line(*medium, names)) for medium, names in media.items()),
            ]
        )
        for (got, expected, remedy), media in kinds.items()
    )


def _line(media: str, uids: Sequence[str], what: str, modalities: Sequence[str]) -> str:
    if not uids:
        return f"    {media} ({'+'.join(modalities)}; no clip): {what}"
    shown = ", ".join(uids[:6]) + (f" and {len(uids) - 6} more" if len(uids) > 6 else "")
    return f"    {media} ({'+'.join(modalities)}; clip{'s' * (len(uids) > 1)} {shown}): {what}"


def write_left_out(path: Path, problems: Sequence[Problem]) -> None:
    """Store with the run what it was trained or judged without."""
    entries = [
        {"media": p.media, "modality": p.modality, "clips": list(p.uids), "why": p.error.what, "got": p.error.got}
        for p in problems
    ]
    write_atomically(path, (json.dumps(entries, indent=2) + "\n").encode())
