"""Reads the pickled tables of MM-SADA's splits without letting a pickle run or reach anything.

A pickle is read as the tree of what it asks for: names, calls and states, none of which is done. The table is then built of those
that pandas 1 to 3 and NumPy write for numbers and text; every shape, type and length is compared with the bytes first.
"""

import io
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from egonorm.core import DataError

_MODULES = {
    "builtins": "slice bytes",
    "__builtin__": "slice bytes",
    "_codecs": "encode",
    "numpy": "dtype ndarray",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.core.numeric": "_frombuffer",
    "numpy._core.numeric": "_frombuffer",
    "pandas": "DataFrame Index NA RangeIndex StringDtype",
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "pandas._libs.missing": "NA",
    "pandas._libs.internals": "_unpickle_block",
    "pandas.arrays": "StringArray",
    "pandas.core.arrays.string_": "StringArray StringDtype",
    "pandas.core.frame": "DataFrame",
    "pandas.core.indexes.base": "Index _new_Index",
    "pandas.core.indexes.numeric": "Int64Index UInt64Index Float64Index",
    "pandas.core.indexes.range": "RangeIndex",
    "pandas.core.internals.blocks": "new_block",
    "pandas.core.internals.managers": "BlockManager",
}
ALLOWED = frozenset((module, name) for module, names in _MODULES.items() for name in names.split())
"""All that a table of numbers and text is rebuilt with. Whole modules would allow far more."""
_INDICES = ("Index", "Int64Index", "UInt64Index", "Float64Index")


@dataclass(frozen=True, eq=False)
class _Name:
    """A name that a pickle asks for. Nothing is imported."""

    name: str

    def __call__(self, *arguments: Any) -> "_Call":
        return _Call(self.name, arguments)

    def __setstate__(self, state: object) -> None:
        raise _Unusual("changes what it is rebuilt with")


class _Call:
    """What a pickle makes by calling a name, and the state that it gives to it. Nothing is called."""

    def __init__(self, name: str, arguments: tuple[object, ...]):
        self.name, self.arguments, self.state = name, arguments, _NONE

    def __setstate__(self, state: object) -> None:
        if self.state is not _NONE:
            raise _Unusual(f"gives a {self.name} two states")
        self.state = state


_NONE: Any = object()


class _Unusual(Exception):
    """What pandas and NumPy do not write."""


_REFUSED = {
    *b"".join((pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.NEWOBJ_EX, pickle.NEXT_BUFFER)),
    *b"".join((pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4)),
}
"""Operations that no table needs; members of a set are compared, however deep they are."""
_PythonUnpickler: Any = vars(pickle)["_Unpickler"]


class _TreeUnpickler(_PythonUnpickler):
    """Python's own unpickler, the one that is not written in C, with those of its operations that do nothing."""

    def find_class(self, module: str, name: str) -> _Name:
        if (module, name) not in ALLOWED:
            raise _Unusual(f"asks for {module}.{name}")
        return _Name(name)

    def load_new(self) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        self.append(_call(made, arguments))

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = _call(self.stack[-1], arguments)

    def load_build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if not isinstance(made, _Call | _Name):
            raise _Unusual(f"gives a state to a {type(made).__name__}")
        made.__setstate__(state)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._set_items(items)

    def _set_items(self, items: list[object]) -> None:
        keys = items[::2]
        if not isinstance(self.stack[-1], dict) or not all(isinstance(key, str) for key in keys):
            raise _Unusual("has a mapping of other things than names")
        self.stack[-1].update(zip(keys, items[1::2], strict=True))

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        self.append(self.read(size))  # what is there, and no zeros in advance

    dispatch = {code: done for code, done in _PythonUnpickler.dispatch.items() if code not in _REFUSED} | {
        pickle.NEWOBJ[0]: load_new,
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.BYTEARRAY8[0]: load_bytearray8,
    }


def _call(made: Any, arguments: Any) -> object:
    if not isinstance(made, _Name) or not isinstance(arguments, tuple):
        raise _Unusual(f"calls a {type(made).__name__}")
    if made.name in _AT_ONCE:
        return _AT_ONCE[made.name](*arguments)
    return made(*arguments)


def _encode(text: Any, encoding: Any) -> bytes:
    """How bytes are written by the protocols before 3."""
    _need(isinstance(text, str) and encoding == "latin1", "encodes something else than bytes")
    return text.encode("latin1")


_ARRAYS = dict.fromkeys(("_reconstruct", "_frombuffer"), "ndarray")
_AT_ONCE: Mapping[str, Callable[..., bytes]] = {"encode": _encode, "bytes": lambda: b""}


def read_split(path: Path) -> pd.DataFrame:
    """The table in a pickle.

    Raises:
        DataError: where it asks for anything else than pandas and NumPy need to rebuild a table (nothing of it runs
            then), is damaged, or is no table.
    """
    try:
        tree = _TreeUnpickler(io.BytesIO(path.read_bytes())).load()
        if not isinstance(tree, _Call) or tree.name != "DataFrame":
            raise DataError(
                f"{path} holds no table.",
                got=f"a {_ARRAYS.get(tree.name, tree.name) if isinstance(tree, _Call) else type(tree).__name__}",
                expected="a pandas DataFrame",
                remedy="Get it again from MM-SADA's repository of splits.",
            )
        return _table(tree)
    except DataError:
        raise
    except _Unusual as error:
        raise DataError(
            f"{path} was refused; nothing of it was run.",
            got=f"a pickle that {error}",
            expected="what pandas and NumPy write of a table of numbers and text",
            remedy="Do not trust this file. Get it from MM-SADA's own repository of splits.",
        ) from None
    except Exception as error:  # a damaged pickle may raise anything (pickle's documentation)
        raise DataError(
            f"{path} cannot be read.",
            got=f"{type(error).__name__}: {str(error)[:200]}",
            expected="a pickled table",
            remedy="Get it again from MM-SADA's repository of splits.",
        ) from None


def _need(is_so: object, otherwise: str) -> None:
    if not is_so:
        raise _Unusual(otherwise)


def _is_call(tree: Any, *names: str) -> bool:
    return isinstance(tree, _Call) and tree.name in names


def _table(tree: _Call) -> pd.DataFrame:
    state = tree.state
    _need(isinstance(state, dict) and not tree.arguments, "gives a table an unusual state")
    manager = state.get("_mgr", state.get("_data"))
    _need(_is_call(manager, "BlockManager"), "holds a table without blocks")
    names, rows, blocks = _parts(manager)
    columns: dict[int, Any] = {}
    for values, places in blocks:
        _need(len(values) == len(places), "puts a block of a table at other places than it has")
        for place, column in zip(places, values, strict=True):
            _need(place not in columns and len(column) == len(rows), "has columns that do not fit each other")
            columns[place] = column
    _need(sorted(columns) == list(range(len(names))), "has not a column for each name")
    series = {place: pd.Series(x, index=rows, dtype=x.dtype) for place, x in sorted(columns.items())}
    found = pd.DataFrame(series, index=rows)
    found.columns = names
    return found


def _parts(manager: _Call) -> tuple[pd.Index, pd.Index, list[tuple[Any, list[int]]]]:
    """The names of the columns, those of the rows, and by block its columns and where they stand."""
    axes: Any
    if manager.arguments:  # pandas 1.3 and later
        _need(len(manager.arguments) == 2, "calls BlockManager otherwise than pandas")
        blocks: Any = manager.arguments[0]
        axes = manager.arguments[1]
        _need(
            isinstance(blocks, tuple) and all(_is_call(one, "_unpickle_block", "new_block") for one in blocks), _BLOCKS
        )
        pairs = [one.arguments[:2] for one in blocks]
    else:
        state = manager.state
        _need(
            isinstance(state, tuple) and len(state) == 4 and isinstance(state[3], dict),
            "gives a table an unusual state",
        )
        whole = state[3].get("0.14.1")
        _need(isinstance(whole, dict) and isinstance(whole.get("blocks"), list), "gives a table an unusual state")
        axes = whole.get("axes")
        _need(all(isinstance(one, dict) for one in whole["blocks"]), _BLOCKS)
        pairs = [(one.get("values"), one.get("mgr_locs")) for one in whole["blocks"]]
    _need(isinstance(axes, list | tuple) and len(axes) == 2, "holds a table without two axes")
    names, rows = map(_index, axes)
    _need(all(len(pair) == 2 for pair in pairs), _BLOCKS)
    return names, rows, [(_block(values, len(rows)), _places(place, len(names))) for values, place in pairs]


_BLOCKS = "holds a table without blocks"


def _block(values: Any, num_rows: int) -> Any:
    """The columns of a block, one after the other."""
    found = _strings(values) if _is_call(values, *_STRINGS) else _array(values)
    if isinstance(found, np.ndarray):
        _need(found.ndim == 2 and found.shape[1] == num_rows, "has a block of another shape than its table")
        return found
    return [found]


def _places(tree: Any, number: int) -> list[int]:
    """Where the columns of a block stand."""
    if _is_call(tree, "slice"):
        _need(
            all(part is None or _is_whole(part) for part in tree.arguments), "has a slice of other things than numbers"
        )
        _need(1 <= len(tree.arguments) <= 3, "has an unusual slice")
        return list(range(number))[slice(*tree.arguments)]
    found = _array(tree)
    _need(found.ndim == 1 and found.dtype.kind == "i", "has blocks at places that are no numbers")
    return found.tolist()


def _index(tree: Any) -> pd.Index:
    _need(_is_call(tree, "_new_Index"), "has an axis that is no index")
    _need(len(tree.arguments) == 2 and tree.state is _NONE, "has an unusual index")
    kind, given = tree.arguments
    _need(isinstance(kind, _Name) and isinstance(given, dict), "has an unusual index")
    name = given.get("name")
    _need(name is None or isinstance(name, str | int), "has an index with an unusual name")
    if kind.name == "RangeIndex":
        ends = [given.get(part) for part in ("start", "stop", "step")]
        _need(all(map(_is_whole, ends)) and ends[2], "has an index of an unusual range")
        _need(max(map(abs, ends)) < 2**62, "has an index of an unusual range")
        return pd.RangeIndex(*ends, name=name)
    _need(kind.name in _INDICES and "data" in given, "has an unusual index")
    data = given["data"]
    found = _strings(data) if _is_call(data, *_STRINGS) else _array(data)
    _need(found.ndim == 1, "has an index of several dimensions")
    return pd.Index(found, dtype=found.dtype, name=name)


_STRINGS = ("StringArray", "__pyx_unpickle_NDArrayBacked")


def _strings(tree: Any) -> Any:
    """A column of pandas' own type of text."""
    state: Any = tree.state if tree.state is not _NONE else (*tree.arguments, None, None, None)[2]
    _need(isinstance(state, tuple) and len(state) >= 2, "has a column of text with an unusual state")
    parts = state[:2]
    kinds = [part for part in parts if _is_call(part, "StringDtype")]
    arrays = [part for part in parts if not _is_call(part, "StringDtype")]
    _need(len(kinds) == 1 and len(arrays) == 1, "has a column of text with an unusual state")
    found = _array(arrays[0])
    values = [x if isinstance(x, str) else None for x in found.ravel().tolist()]
    return pd.array(values, dtype=_string_dtype(kinds[0]))


def _string_dtype(tree: _Call) -> pd.StringDtype:
    state = tree.state if isinstance(tree.state, dict) else {}
    given = [*tree.arguments, *state.values()]
    _need(all(_is_na(one) or isinstance(one, str | float) for one in given), "has an unusual type of text")
    is_nan = any(isinstance(one, float) for one in given)
    return pd.StringDtype("python", na_value=np.nan) if is_nan else pd.StringDtype("python")


def _array(tree: Any) -> np.ndarray:
    """An array of numbers, texts or objects that are texts, numbers and lists of them."""
    _need(_is_call(tree, *_ARRAYS), "has an array that NumPy does not write so")
    if tree.name == "_frombuffer":
        _need(len(tree.arguments) == 4 and tree.state is _NONE, "has an array with an unusual state")
        data, kind, shape, order = tree.arguments
        _need(order in ("C", "F"), "has an array with an unusual state")
    else:
        _need(_is_empty_array(tree.arguments), "makes an array otherwise than NumPy")
        state = tree.state
        _need(isinstance(state, tuple) and len(state) == 5 and state[0] == 1, "has an array with an unusual state")
        _, shape, kind, is_fortran, data = state
        order = "F" if is_fortran is True else "C"
    dtype = _dtype(kind)
    _need(
        isinstance(shape, tuple) and len(shape) <= 2 and all(_is_whole(n) and n >= 0 for n in shape),
        "has an unusual shape",
    )
    if dtype.kind == "O":
        _need(
            isinstance(data, list) and len(data) == prod(shape),
            "has not the objects that its shape says",
        )
        flat = np.empty(len(data), object)
        for place, one in enumerate(_objects(data)):
            flat[place] = one
        return flat.reshape(shape, order=order)
    _need(
        isinstance(data, bytes) and len(data) == prod(shape) * dtype.itemsize, "has not the bytes that its shape says"
    )
    _need(dtype.itemsize, "has texts without letters")
    found = np.frombuffer(data, np.uint8 if dtype.kind == "b" else dtype).reshape(shape, order=order)
    return found != 0 if dtype.kind == "b" else found.copy()


def _is_empty_array(arguments: tuple[object, ...]) -> bool:
    """Whether arguments are those with which NumPy begins an array: the class, shape and type of nothing."""
    return (
        len(arguments) == 3
        and isinstance(arguments[0], _Name)
        and arguments[0].name == "ndarray"
        and arguments[1] == (0,)
        and arguments[2] in (b"b", "b")
    )


_TYPES = re.compile(r"[iuf][1248]|b1|O8|[US][1-9]\d{0,4}")


def _dtype(tree: Any) -> np.dtype:
    """The type of an array's elements, from its name and order of bytes; the rest of its state is as usual, or refused."""
    _need(_is_call(tree, "dtype"), "has an array without a type")
    given, state = tree.arguments, tree.state
    _need(
        len(given) == 3 and isinstance(given[0], str) and _TYPES.fullmatch(given[0]), "has an array of an unusual type"
    )
    order = "="
    if state is not _NONE:
        _need(isinstance(state, tuple) and len(state) == 8 and state[0] == 3, "gives a type an unusual state")
        order = state[1]
        _need(order in ("<", ">", "=", "|") and state[2:5] == (None, None, None), "gives a type an unusual state")
        _need(all(map(_is_whole, state[5:])), "gives a type an unusual state")
        _need(state[7] == (63 if given[0] == "O8" else 8 if given[0][0] == "U" else 0), "gives a type an unusual state")
    return np.dtype(f"{order}{given[0]}".replace("O8", "O").replace("|u1", "u1"))


def _objects(data: list[Any]) -> list[Any]:
    """The objects of an array: texts, numbers, nothing, and lists of these."""
    seen: dict[int, list[Any]] = {}
    found = []
    for one in data:
        if isinstance(one, list | tuple):
            if id(one) not in seen:
                seen[id(one)] = [_object(x) for x in one]
            found.append(seen[id(one)])
        else:
            found.append(_object(one))
    return found


def _object(tree: Any) -> Any:
    if _is_call(tree, "scalar"):
        _need(len(tree.arguments) == 2 and isinstance(tree.arguments[1], bytes), "has an unusual number")
        dtype, data = _dtype(tree.arguments[0]), tree.arguments[1]
        _need(dtype.kind in "iufb" and len(data) == dtype.itemsize, "has an unusual number")
        return np.frombuffer(data, dtype)[0].item()
    if _is_na(tree):
        return None
    _need(isinstance(tree, str | bytes | int | float), f"has a {type(tree).__name__} among texts and numbers")
    return tree


def _is_na(tree: Any) -> bool:
    """Nothing, or what pandas writes for it."""
    return tree is None or (isinstance(tree, _Name) and tree.name == "NA")


def _is_whole(tree: Any) -> bool:
    return isinstance(tree, int) and not isinstance(tree, bool)
