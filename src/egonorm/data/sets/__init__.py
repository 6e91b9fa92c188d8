"""Where clips come from. Each module here with a function `open_set(root)` is a kind of data, named like the module."""

import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, runtime_checkable

from egonorm.core import DataError
from egonorm.data.inputs import Input
from egonorm.data.manifest import Manifest
from egonorm.data.readers.protocol import Reader


@runtime_checkable
class ClipSet(Protocol):
    """Clips and the readers of their media."""

    manifest: Manifest
    notes: tuple[str, ...]
    """What a user should know about what was found, a sentence each."""

    def reader(self, modality: str, given: Input) -> Reader:
        """The reader of one modality, looking as `given` says; DataError for one that the set does not have."""
        ...

    def layouts(self) -> dict[str, dict[str, int]]:
        """Per modality, how its media lie on the disk, and how many of them do so."""
        ...


def kinds() -> tuple[str, ...]:
    """Every kind of data."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(m.__name__.rpartition(".")[2] for m in modules if hasattr(m, "open_set"))


def open_data(text: str) -> ClipSet:
    """Open `KIND:PATH`, for example `folder:/home/me/clips`."""
    kind, colon, path = text.partition(":")
    if not colon or not path or kind not in kinds():
        raise DataError(f"The data {text!r} cannot be read.", got=f"kind {kind!r}, path {path!r}",
                        expected=f"KIND:PATH with a kind among {', '.join(kinds())}",
                        remedy="Write for example folder:/home/me/clips.")  # fmt: skip
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DataError(f"{root} is not a folder.", got="no such folder" if not root.exists() else "a file",
                        expected=f"the folder of the data of kind {kind}", remedy="Correct the path.")  # fmt: skip
    return importlib.import_module(f"{__name__}.{kind}").open_set(root)
