"""The folder of a rendered data set, and what it may hold."""

import json
from pathlib import Path
from typing import Any

from egonorm.core import DataError
from egonorm.core.files import write_atomically

DESCRIPTION = "kitchens.json"
MANIFEST = "manifest.csv"


def claim(root: Path, description: dict[str, Any]) -> None:
    """Make a folder ours by writing its description; one that holds the same description may go on.

    Raises:
        DataError: the folder holds something else, which is left as it is.
    """
    path = root / DESCRIPTION
    if path.is_file():
        _check_same(path, json.loads(json.dumps(description)))
        return
    foreign = [] if not root.exists() else sorted(entry.name for entry in _entries(root) if entry.suffix != ".partial")
    if foreign:
        raise DataError(f"{root} is not empty, and no kitchens were rendered there.", got=", ".join(foreign[:5]),
                        expected=f"a new or empty folder, or one with a {DESCRIPTION}",
                        remedy="Choose another folder; nothing has been changed in this one.")  # fmt: skip
    write_atomically(path, (json.dumps(description, indent=2) + "\n").encode())


def _entries(root: Path) -> list[Path]:
    if not root.is_dir():
        raise DataError(f"{root} is not a folder.", got="a file", expected="a new or empty folder",
                        remedy="Choose another folder; nothing has been changed.")  # fmt: skip
    return list(root.iterdir())


def _check_same(path: Path, description: dict[str, Any]) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["config"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} does not describe kitchens.", got="other content", expected="an object with config",
                        remedy="Choose another folder; nothing has been changed in this one.") from None  # fmt: skip
    if found != description["config"]:
        raise DataError(f"{path.parent} holds kitchens of another configuration.", got=found,
                        expected=description["config"],
                        remedy="Choose another folder, or delete this one; nothing has been changed.")  # fmt: skip
