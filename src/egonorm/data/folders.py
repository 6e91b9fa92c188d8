"""Folders that data are written into: new or empty ones, or our own."""

from pathlib import Path

from egonorm.core import DataError
from egonorm.core.errors import some

ANOTHER = "Choose another folder; nothing has been changed in this one."


def refuse_foreign(root: Path, description: str, what: str) -> None:
    """Refuse a folder without our `description` that holds anything but what a stopped call has left.

    Raises:
        DataError: says that no `what` there.
    """
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is not a folder.", got="a file", expected="a new or empty folder", remedy=ANOTHER)
    foreign = sorted(entry.name for entry in root.iterdir() if entry.suffix != ".partial") if root.exists() else []
    if foreign:
        raise DataError(
            f"{root} is not empty, and no {what} there.",
            got=some(foreign),
            remedy=ANOTHER,
            expected=f"a new or empty folder, or one with a {description}",
        )
