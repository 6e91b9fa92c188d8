"""From the tables of EPIC-Kitchens-55 and MM-SADA on the user's disk to clips."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from egonorm.core import DataError
from egonorm.core.errors import some
from egonorm.data.manifest import SPLITS, Clip
from egonorm.data.sets.epic55.splits import read_split

VERBS = ("take", "put", "open", "close", "wash", "cut", "mix", "pour")
"""The verbs 0 to 7 of EPIC-Kitchens-55, in the order of their ids."""

PARTICIPANTS = {"D1": "P08", "D2": "P01", "D3": "P22"}
"""Whose kitchen a domain is."""

FPS = 60
"""The clock of the frame numbers in the tables, whatever the rate of the videos."""

PUBLIC_LABELS = "EPIC_train_action_labels.csv"

NUMBERS = ("uid", "start_frame", "stop_frame", "verb_class")
TEXTS = ("participant_id", "video_id", "narration", "start_timestamp", "stop_timestamp", "verb")

_SPLITS_AT = "github.com/jonmun/MM-SADA_Domain_Adaptation_Splits"
_LABELS_AT = "github.com/epic-kitchens/epic-kitchens-55-annotations"
_LABEL_FOLDER = re.compile("split|annotation", re.IGNORECASE)
_MEDIA_FOLDER = re.compile(r"P\d\d.*|rgb.*|flow.*|frames.*|audio|wav|videos|\..*", re.IGNORECASE)


def read_annotations(root: Path) -> tuple[tuple[Clip, ...], tuple[str, ...]]:
    """All clips that the tables below `root` define, and remarks on what is missing.

    The six pickles of MM-SADA's splits are preferred; the training splits follow from EPIC's public labels as well,
    equal row for row, the test splits do not.
    """
    tables = find_tables(root)
    public = read_public(tables[PUBLIC_LABELS]) if PUBLIC_LABELS in tables else None
    clips: list[Clip] = []
    derived, missing = [], []
    for domain, participant in PARTICIPANTS.items():
        for split in SPLITS:
            pickled = tables.get(name := f"{domain}_{split}.pkl")
            if pickled:
                clips += _clips(pickled, read_split(pickled), domain, split)
            elif split == "train" and public is not None:
                clips += _clips(tables[PUBLIC_LABELS], public[public.participant_id == participant], domain, split)
                derived.append(name)
            else:
                missing.append(name)
    if not clips:
        raise DataError(
            f"{root} holds no labels.",
            got=f"neither D1_train.pkl nor {PUBLIC_LABELS}",
            expected="the six pickles of MM-SADA's splits, or at least EPIC's public labels",
            remedy=f"Get them from {_SPLITS_AT} or {_LABELS_AT}.",
        )
    _check_uids(root, clips)
    return tuple(clips), tuple(_notes(derived, missing))


def _check_uids(root: Path, clips: list[Clip]) -> None:
    """Refuse tables that share uids: a clip of two splits would be judged by what has learnt it."""
    tables: dict[str, dict[str, None]] = {}
    for clip in clips:
        tables.setdefault(clip.uid, {})[f"{clip.domain}_{clip.split}"] = None
    if shared := {uid: names for uid, names in tables.items() if len(names) > 1}:
        told: dict[str, list[str]] = {}
        for (domain, split), number in Counter((clip.domain, clip.split) for clip in clips).items():
            told.setdefault(domain, []).append(f"{number} {split}")
        numbers = "; ".join(f"{domain}: {', '.join(splits)}" for domain, splits in told.items())
        raise DataError(
            f"Tables of {root} share clips.",
            got=f"uid {some(list(shared))} in {' and '.join(next(iter(shared.values())))}; clips of {numbers}",
            expected="each uid in one table",
            remedy=f"Take them out of one, or get the tables again from {_SPLITS_AT}.",
        )


def _notes(derived: list[str], missing: list[str]) -> Iterator[str]:
    if derived:
        yield f"{PUBLIC_LABELS} stands in for {', '.join(derived)}: the clips are the same."
    tests = [name for name in missing if "test" in name]
    if tests:
        yield (
            f"{'no test splits' if len(tests) == len(PARTICIPANTS) else 'missing test splits'}: {', '.join(tests)} "
            f"cannot be had from public labels; get the six pickles from {_SPLITS_AT}"
        )
    trains = [name for name in missing if name not in tests]
    if trains:
        yield f"missing training splits: {', '.join(trains)}; get the six pickles from {_SPLITS_AT}"


def find_tables(root: Path) -> dict[str, Path]:
    """Tables by name, in `root` and in folders named like splits or annotations, the upper ones first."""
    wanted = {f"{domain}_{split}.pkl" for domain in PARTICIPANTS for split in SPLITS} | {PUBLIC_LABELS}
    found: dict[str, Path] = {}
    for folder in _label_folders(root):
        for name in sorted(wanted - found.keys()):
            if (folder / name).is_file():
                found[name] = folder / name
    return found


def _label_folders(root: Path, depth: int = 3) -> Iterator[Path]:
    """Breadth first; folders of media are not looked into, for they hold millions of files."""
    yield root
    level = [root]
    for _ in range(depth):
        level = [Path(entry) for folder in level for entry in sorted(_folders(folder))]
        yield from (folder for folder in level if _LABEL_FOLDER.search(folder.name))


def _folders(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (e.path for e in entries if not _MEDIA_FOLDER.fullmatch(e.name) and e.is_dir())


def read_public(path: Path) -> pd.DataFrame:
    """Of EPIC's public training labels, the rows and columns that MM-SADA's training splits consist of."""
    try:
        table = pd.read_csv(path, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise DataError(
            f"{path} cannot be read.",
            got=error,
            expected="a table of comma-separated values",
            remedy=f"Get it again from {_LABELS_AT}.",
        ) from None
    _check_columns(path, table)
    columns = [column for column in table.columns if column in NUMBERS + TEXTS]
    wanted = table.participant_id.isin(PARTICIPANTS.values()) & (table.verb_class < len(VERBS))
    return table.loc[wanted, columns]


def _clips(path: Path, table: pd.DataFrame, domain: str, split: str) -> Iterator[Clip]:
    """One clip a row. Frames are counted from 1, and the stop frame belongs to the action."""
    _check_columns(path, table)
    for row in table.itertuples(index=False):
        _check_row(path, row, PARTICIPANTS[domain])
        yield Clip(
            uid=str(row.uid),
            media=row.video_id,
            start=(row.start_frame - 1) / FPS,
            stop=row.stop_frame / FPS,
            label=VERBS[row.verb_class],
            domain=domain,
            split=split,
        )


def _check_columns(path: Path, table: pd.DataFrame) -> None:
    missing = [column for column in NUMBERS + TEXTS if list(table.columns).count(column) != 1]
    wrong = [column for column in NUMBERS if column not in missing and table[column].dtype.kind not in "iu"]
    wrong += [column for column in TEXTS if column not in missing and not all(type(x) is str for x in table[column])]
    if missing or wrong:
        got = [f"no {name}, or several" for name in missing] + [f"{name} of type {table[name].dtype}" for name in wrong]
        raise DataError(
            f"{path} is not a table of EPIC-Kitchens-55.",
            got=", ".join(got),
            expected=f"whole numbers in {', '.join(NUMBERS)}; text in {', '.join(TEXTS)}",
            remedy=f"Get it again from {_SPLITS_AT} or {_LABELS_AT}.",
        )


def _check_row(path: Path, row: Any, participant: str) -> None:
    wrong = (
        row.participant_id != participant or not re.fullmatch(rf"{participant}_\d{{1,9}}", row.video_id),
        not 0 <= row.verb_class < len(VERBS),
        not 1 <= row.start_frame <= row.stop_frame,
    )
    if any(wrong):
        raise DataError(
            f"{path}: the row of uid {row.uid} cannot be used.",
            got=row._asdict(),
            expected=f"participant {participant}, a verb class of 0 to {len(VERBS) - 1}, frames from 1",
            remedy=f"Get the table again from {_SPLITS_AT}.",
        )
