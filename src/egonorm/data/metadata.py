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
from egonorm.core.files import write_atomically
from egonorm.data.manifest import COLUMNS, Clip, Manifest, read_manifest

Description = TypeVar("Description")


def write_description(path: Path, description: Any) -> None:
    """Write a dataclass as JSON."""
    write_atomically(path, (json.dumps(asdict(description), indent=2) + "\n").encode())


def read_description(
    path: Path, kind: type[Description], version: int, what: str, command: str, again: str, remedy: str
) -> Description:
    """What `write_description` wrote, a dataclass with a `version`.

    Args:
        what, command, again: in words, what is described, the command that writes it, and how it is made again.
        remedy: what to do about a file that does not say it.

    Raises:
        DataError: for a file that does not say it, or is of another version.
    """
    try:
        found = cattrs.structure(json.loads(path.read_text(encoding="utf-8")), kind)
    except (OSError, ValueError, KeyError, TypeError, cattrs.BaseValidationError) as error:
        raise DataError(
            f"{path} does not describe {what}.",
            got=f"{type(error).__name__}: {error}",
            expected=f"the file that {command} wrote",
            remedy=remedy,
        ) from None
    if found.version != version:
        raise DataError(
            f"{path} is of another version.",
            got=found.version,
            expected=version,
            remedy=f"Use the egonorm that wrote it, or {again}.",
        )
    return found


def write_clips(path: Path, clips: Iterable[Clip]) -> None:
    """Write clips with their times to the last digit, so that they have the same digest when they are read."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([COLUMNS, *map(astuple, clips)])
    write_atomically(path, file.getvalue().encode())


def read_clips(path: Path, classes: tuple[str, ...], digest: str, what: str, remedy: str) -> Manifest:
    """The clips that `write_clips` wrote. DataError where they are not those of a digest; `what` they are of, in words."""
    manifest = read_manifest(path, classes)
    if manifest.digest() != digest:
        raise DataError(
            f"{path} is not the table of the {what}.", got=f"clips {manifest.digest()}", expected=digest, remedy=remedy
        )
    return manifest
