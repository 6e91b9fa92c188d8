"""The folder of a rendered data set, and what it may hold."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from egonorm.core import DataError
from egonorm.core.files import write_atomically
from egonorm.data.folders import ANOTHER, refuse_foreign

DESCRIPTION = "kitchens.json"
MANIFEST = "manifest.csv"


def flow_of(media: str) -> str:
    """Where the flow of a video lies, below the root as the video itself."""
    return str(PurePosixPath("flow", media).with_suffix(".tar"))


def read_config(root: Path) -> dict[str, Any]:
    """The configuration that a folder of kitchens was rendered with.

    Raises:
        DataError: its description cannot be read.
    """
    path = root / DESCRIPTION
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["config"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path} does not describe kitchens.", got="other content", expected="an object with config",
                        remedy=ANOTHER) from None  # fmt: skip


def claim(root: Path, description: dict[str, Any]) -> None:
    """Make a folder ours by writing its description; one that holds the same description may go on.

    Raises:
        DataError: the folder holds something else, which is left as it is.
    """
    path = root / DESCRIPTION
    if path.is_file():
        _check_same(root, json.loads(json.dumps(description)))
        return
    refuse_foreign(root, DESCRIPTION, "kitchens were rendered")
    write_atomically(path, (json.dumps(description, indent=2) + "\n").encode())


def _check_same(root: Path, description: dict[str, Any]) -> None:
    found = read_config(root)
    if found != description["config"]:
        raise DataError(f"{root} holds kitchens of another configuration.", got=found,
                        expected=description["config"],
                        remedy="Choose another folder, or delete this one; nothing has been changed.")  # fmt: skip
