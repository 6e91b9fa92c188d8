"""The procedural kitchens, as `egonorm data kitchens` renders them: a folder of clips with EPIC's classes in its order."""

from pathlib import Path

from egonorm.core import DataError
from egonorm.data.manifest import read_manifest
from egonorm.data.sets.folder import Folder
from egonorm.data.sets.synthetic import CLASSES


def open_set(root: Path) -> Folder:
    """Read the manifest of rendered kitchens."""
    if not (root / "kitchens.json").is_file() or not (root / "manifest.csv").is_file():
        raise DataError(f"{root} holds no rendered kitchens.", got="no kitchens.json or no manifest.csv",
                        expected="a finished rendering",
                        remedy=f"Run: egonorm data kitchens {root}")  # fmt: skip
    return Folder(root, read_manifest(root / "manifest.csv", CLASSES))
