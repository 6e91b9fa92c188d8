"""Folders that say what they are: a description in JSON, and the very clips that it tells of."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, TypeVar

import cattrs

from egonorm.core import DataError
from egonorm.core.files import KEY, Format, parse_json, write_atomically
from egonorm.core.tensors import DIGEST, digest_of
from egonorm.data.manifest import COLUMNS, Clip, Manifest, read_manifest

_Dataclass = TypeVar("_Dataclass")
_CONVERTER = cattrs.Converter(forbid_extra_keys=True)


def write_dataclass(path: Path, description: Any) -> None:
    """Write a dataclass as JSON, with a digest of all that it says but its version."""
    tree = asdict(description)
    write_atomically(path, (json.dumps(tree | {DIGEST: _digest(tree)}, indent=2) + "\n").encode())


def _digest(tree: dict[str, Any]) -> str:
    return digest_of({}, {name: value for name, value in tree.items() if name not in (KEY, DIGEST)})


def read_dataclass(path: Path, kind: type[_Dataclass], form: Format, command: str, remedy: str) -> _Dataclass:
    """What `write_dataclass` wrote, a dataclass with a `version`.

    Args:
        command: writes such a file.
        remedy: what to do about a file that is none.

    Raises:
        DataError: for a file that does not say it, or is of another version.
    """
    try:
        tree = parse_json(path.read_text(encoding="utf-8"))
        form.check(path, tree.get(KEY, 1))
        stated = tree.pop(DIGEST, None)
        if stated is not None and stated != (found := _digest(tree)):
            raise ValueError(f"a content of digest {found}, where {stated} was written")
        return _CONVERTER.structure(tree, kind)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, cattrs.BaseValidationError) as error:
        raise DataError(
            f"{path} does not describe {form.name}.",
            got=f"{type(error).__name__}: {error}",
            expected=f"the file that {command} wrote",
            remedy=remedy,
        ) from None


def write_clips(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips with their times to the last digit, so that they have the same digest when they are read."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([COLUMNS, *map(astuple, clips)])
    write_atomically(path, file.getvalue().encode())


def read_listed_clips(path: Path, classes: tuple[str, ...], digest: str, what: str, remedy: str) -> Manifest:
    """The clips that `write_clips` wrote. DataError where they are not those of a digest; `what` they are of, in words."""
    manifest = read_manifest(path, classes)
    if manifest.digest() != digest:
        raise DataError(
            f"{path} is not the table of the {what}.", got=f"clips {manifest.digest()}", expected=digest, remedy=remedy
        )
    return manifest
