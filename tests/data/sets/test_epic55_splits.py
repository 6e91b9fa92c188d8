"""Pickled tables are read, and pickles that ask for anything else are refused before they do anything."""

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from egonorm.core import DataError
from egonorm.data.sets.epic55.splits import read_split


def table() -> pd.DataFrame:
    return pd.DataFrame({"uid": [3, 5, 8], "video_id": ["P01_01", "P01_02", "P01_02"], "verb": ["a", "b", "c"]})


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("text", [object, "str"])
def test_tables_come_back_as_they_were(tmp_path, protocol, text):
    written = table().astype({"video_id": text, "verb": text})
    for rows in (written, written[written.uid != 5]):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(rows, protocol))
        pd.testing.assert_frame_equal(read_split(tmp_path / "a.pkl"), rows)


class Call:
    """Something whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def by_name(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls `module.name(argument)`, written by hand."""
    stream = io.BytesIO()
    for text in (module, name):
        stream.write(b"\x8c" + bytes([len(text)]) + text.encode())
    return b"\x80\x04" + stream.getvalue() + b"\x93\x8c" + bytes([len(argument)]) + argument.encode() + b"\x85R."


TOUCH = "open('ran', 'w').close()"
ATTACKS = {
    "posix.system": pickle.dumps(Call(os.system, "touch ran")),
    "builtins.eval": pickle.dumps(Call(eval, TOUCH)),
    "builtins.exec": pickle.dumps(Call(exec, TOUCH)),
    "builtins.getattr": pickle.dumps(Call(getattr, pd.DataFrame, "eval")),
    "pandas.eval": by_name("pandas", "eval", "1 + 1"),
    "pandas.read_pickle": by_name("pandas", "read_pickle", "other.pkl"),
    "pandas.DataFrame.eval": by_name("pandas", "DataFrame.eval", "1"),
    "pandas.io.common.os.system": by_name("pandas", "io.common.os.system", "touch ran"),
    "pandas.core.frame.os.system": by_name("pandas.core.frame", "os.system", "touch ran"),
    "pandas.core.frame.sys.modules": by_name("pandas.core.frame", "sys.modules", "x"),
    "numpy.load": by_name("numpy", "load", "other.npy"),
    "numpy.core.multiarray._reconstruct.__globals__": by_name("numpy.core.multiarray", "_reconstruct.__globals__", ""),
    "numpy.ndarray.tofile": by_name("numpy", "ndarray.tofile", "ran"),
    "os.system": b"cos\nsystem\n(S'touch ran'\ntR.",
    "subprocess.call": b"(S'touch ran'\nisubprocess\ncall\n.",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_code_is_refused_and_does_not_run(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("a.pkl").write_bytes(ATTACKS[name])
    with pytest.raises(DataError) as caught:
        read_split(tmp_path / "a.pkl")
    message = str(caught.value)
    assert f"{tmp_path / 'a.pkl'} was refused; nothing of it was run." in message
    assert f"asks for {name}\n" in message
    assert "Do not trust this file" in message
    assert not Path("ran").exists()


def test_code_hidden_in_a_table_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"uid": [Call(os.system, "touch ran"), 1]}).to_pickle("a.pkl")
    with pytest.raises(DataError, match=r"asks for posix\.system"):
        read_split(Path("a.pkl"))
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "state",
    [b"}\x8c\x04evil\x8c\x01xs", b"N}\x8c\x04evil\x8c\x01xs\x86"],
    ids=["through __dict__", "through setattr"],
)
@pytest.mark.parametrize(
    ("module", "name"), [("pandas.core.frame", "DataFrame"), ("pandas.core.indexes.base", "_new_Index")]
)
def test_what_is_found_cannot_be_changed(tmp_path, module, name, state):
    found = b"\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93"
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04" + found + state + b"b.")
    with pytest.raises(DataError, match=r"was refused[\s\S]*changes what it is rebuilt with"):
        read_split(tmp_path / "a.pkl")
    assert not hasattr(pd.DataFrame, "evil")


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04", pickle.dumps([1, 2])[:-2], b"\x80\x04\x8c\x01aQ."])
def test_damage_is_told(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.pkl cannot be read[\s\S]*expected: a pickled table[\s\S]*Get it again"):
        read_split(tmp_path / "a.pkl")


@pytest.mark.parametrize("value", [{"uid": [1]}, [1, 2], np.arange(3), "text"])
def test_another_thing_than_a_table_is_told(tmp_path, value):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(DataError, match=rf"holds no table\.\n  got:      a {type(value).__name__}"):
        read_split(tmp_path / "a.pkl")
