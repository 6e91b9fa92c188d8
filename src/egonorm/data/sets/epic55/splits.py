"""Reads the pickled tables of MM-SADA's splits without letting a pickle run code."""

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from egonorm.core import DataError

ALLOWED = frozenset(
    {
        ("builtins", "slice"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.numeric", "_frombuffer"),
        ("numpy._core.numeric", "_frombuffer"),
        ("pandas", "DataFrame"),
        ("pandas", "Index"),
        ("pandas", "RangeIndex"),
        ("pandas", "StringDtype"),
        ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"),
        ("pandas._libs.internals", "_unpickle_block"),
        ("pandas.arrays", "StringArray"),
        ("pandas.core.frame", "DataFrame"),
        ("pandas.core.indexes.base", "Index"),
        ("pandas.core.indexes.base", "_new_Index"),
        ("pandas.core.indexes.range", "RangeIndex"),
        ("pandas.core.internals.managers", "BlockManager"),
    }
)
"""All that a table of numbers and text is rebuilt with, by pandas 1 to 3. Whole modules would allow far more."""


_PythonUnpickler: Any = vars(pickle)["_Unpickler"]


class _TableUnpickler(_PythonUnpickler):
    """Python's own unpickler, which finds what is allowed and nothing else.

    The one written in Python, not in C: it lets us refuse that a pickle changes what it found, as `DataFrame` itself.
    """

    def __init__(self, file: BinaryIO, path: Path):
        super().__init__(file)
        self.path = path
        self.found: list[object] = []

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in ALLOWED:
            raise _refused(self.path, f"asks for {module}.{name}")
        self.found.append(super().find_class(module, name))
        return self.found[-1]

    def load_build(self) -> None:
        if any(self.stack[-2] is found for found in self.found):
            raise _refused(self.path, "changes what it is rebuilt with")
        super().load_build()

    dispatch = _PythonUnpickler.dispatch | {pickle.BUILD[0]: load_build}


def read_split(path: Path) -> pd.DataFrame:
    """The table in a pickle.

    Raises:
        DataError: where it asks for anything else than pandas and NumPy need to rebuild a table (nothing of it runs
            then), is damaged, or is no table.
    """
    try:
        with path.open("rb") as file:
            table = _TableUnpickler(file, path).load()
    except DataError:
        raise
    except Exception as error:  # a damaged pickle may raise anything (pickle's documentation)
        raise DataError(
            f"{path} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            expected="a pickled table",
            remedy="Get it again from MM-SADA's repository of splits.",
        ) from None
    if not isinstance(table, pd.DataFrame):
        raise DataError(
            f"{path} holds no table.",
            got=f"a {type(table).__name__}",
            expected="a pandas DataFrame",
            remedy="Get it again from MM-SADA's repository of splits.",
        )
    return table


def _refused(path: Path, got: str) -> DataError:
    return DataError(
        f"{path} was refused; nothing of it was run.",
        got=f"a pickle that {got}",
        expected="what pandas and NumPy need to rebuild a table",
        remedy="Do not trust this file. Get it from MM-SADA's own repository of splits.",
    )
