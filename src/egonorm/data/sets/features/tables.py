"""Tables of clips in other people's files: a CSV or TSV file, arrays of an .npz file, or lists in a safetensors file's header."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from egonorm.core import DataError
from egonorm.core.files import parse_json
from egonorm.data.manifest import CLASSES_FILE, SPLITS, Clip, Manifest, read_classes, unreadable_table
from egonorm.data.sets.features.arrays import Array, metadata_of

TABLE_COLUMNS = ("uid", "label", "domain", "split")
NAMES = {name: column for column in (*TABLE_COLUMNS, "classes") for name in (column, f"{column}s")}
"""What the columns may be called, and the names of the classes."""
VALIDATION = ("val", "valid", "validation")


@dataclass(frozen=True)
class FeatureTable:
    """Texts by column and row, as a file has them."""

    path: Path
    columns: Mapping[str, Sequence[str]]
    """Those of `TABLE_COLUMNS`, and perhaps `classes`, the names of labels that are numbers."""
    lines: Sequence[int] = ()
    """The line of the file that each row is on; none where it has no lines."""

    def __post_init__(self):
        missing = [column for column in TABLE_COLUMNS if column not in self.columns]
        if missing:
            raise DataError(
                f"{self.path} lacks {', '.join(missing)}.",
                got=", ".join(self.columns) or "none of them",
                expected=f"{', '.join(TABLE_COLUMNS)} for every clip",
                remedy="Add what is missing.",
            )
        lengths = {column: len(self.columns[column]) for column in TABLE_COLUMNS}
        if len(set(lengths.values())) > 1:
            raise DataError(
                f"{self.path} has columns of several lengths.",
                got=lengths,
                expected="one value a clip in each",
                remedy="Correct them.",
            )

    def manifest(self) -> tuple[Manifest, tuple[int, ...], tuple[str, ...]]:
        """The clips of the splits train and test, each its own medium; the rows that they are in; and remarks."""
        splits = [_SPLITS.get(text.lower(), text) for text in self.columns["split"]]
        rows = tuple(row for row, split in enumerate(splits) if split not in VALIDATION)
        labels = self._labels()
        clips = tuple(self._clip(row, labels[row], splits[row]) for row in rows)
        if "test" not in splits or "train" not in splits:
            raise DataError(
                f"{self.path} has no clips to train on, or none to test on.",
                got=_counted(splits),
                expected="clips of the splits train and test",
                remedy="Name the split that is to be judged on test, for example the validation.",
            )
        manifest = Manifest(clips, self.columns.get("classes", ()))
        left = len(splits) - len(rows)
        note = f"{left} clips of the split val are left out; rename it to train or test to use them."
        return manifest, rows, (note,) if left else ()

    def _clip(self, row: int, label: str, split: str) -> Clip:
        uid, domain = self.columns["uid"][row], self.columns["domain"][row]
        place = f"{self.path}, line {self.lines[row]}" if self.lines else str(self.path)
        if split not in SPLITS:
            raise DataError(
                f"{place}: clip {uid} has an unknown split.",
                got=repr(split),
                expected=f"{' or '.join(SPLITS)}; {VALIDATION[0]} is left out",
                remedy="Correct the column split.",
            )
        try:
            return Clip(uid, uid, 0.0, 1.0, label, domain, split)
        except DataError as error:
            raise error.at(place) from None

    def _labels(self) -> Sequence[str]:
        """The label of each row by name."""
        labels, classes = self.columns["label"], self.columns.get("classes")
        known = set(labels) - {""}
        if classes is None or known <= set(classes) or not all(map(str.isdecimal, known)):
            return labels
        strange = sorted(x for x in known if int(x) >= len(classes))
        if strange:
            raise DataError(
                f"{self.path} has labels that no class belongs to.",
                got=", ".join(strange[:5]),
                expected=f"0 to {len(classes) - 1}, the places of the {len(classes)} classes",
                remedy="Correct the labels, or the array classes.",
            )
        return [classes[int(x)] if x else "" for x in labels]


_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(VALIDATION, "val")


def read_table(path: Path) -> FeatureTable:
    """The table in a CSV or TSV file; values are separated by tabs, semicolons or commas, as its first line is.

    A label may be empty. The classes are those that `classes.txt` beside it declares, if it is there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text.",
            got=f"byte {error.object[error.start]:#x} at {error.start}",
            expected="a table in UTF-8",
            remedy="Save it again as CSV UTF-8.",
        ) from None
    try:
        return _read_rows(path, text)
    except csv.Error as error:
        raise unreadable_table(path, error) from None


def _read_rows(path: Path, text: str) -> FeatureTable:
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=next((x for x in "\t;" if x in first), ","))
    columns = {NAMES.get(name.strip().lower()): name for name in rows.fieldnames or () if name}
    found: dict[str, list[str]] = {column: [] for column in TABLE_COLUMNS if column in columns}
    lines = []
    for row in rows:
        lines.append(rows.line_num)
        for column, values in found.items():
            values.append((row[columns[column]] or "").strip())
        empty = [column for column, values in found.items() if not values[-1] and column != "label"]
        if empty or None in row:
            raise DataError(
                f"{path}, line {rows.line_num} has not one value a column.",
                got="more" if None in row else f"no {empty[0]}",
                expected=f"{len(columns)} values",
                remedy="Fill it in, put quotation marks around values with separators, or remove the line.",
            )
    declared = read_classes(path.parent / CLASSES_FILE)
    return FeatureTable(path, found | ({"classes": declared} if declared else {}), lines)


def table_of_arrays(path: Path, arrays: Sequence[Array]) -> FeatureTable:
    """The table in an .npz file: one array a column."""
    named = {NAMES[array.key]: array for array in arrays if array.key in NAMES}
    return FeatureTable(path, {column: array.texts() for column, array in named.items()})


def table_of_metadata(path: Path) -> FeatureTable:
    """The table in the header of a safetensors file: one JSON list a column."""
    found = {NAMES[key]: text for key, text in metadata_of(path).items() if key in NAMES}
    try:
        columns = {column: [str(value) for value in parse_json(text)] for column, text in found.items()}
    except (ValueError, TypeError) as error:
        raise DataError(
            f"The metadata of {path} cannot be read.",
            got=error,
            expected="a JSON list for each column",
            remedy="Put a table beside it, with the same name and .csv.",
        ) from None
    return FeatureTable(path, columns)


def _counted(splits: Sequence[str]) -> str:
    return ", ".join(f"{number} {split}" for split, number in Counter(splits).items()) or "no clips"
