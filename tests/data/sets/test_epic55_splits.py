"""Pickled tables are read, and pickles that ask for anything else are refused before they do anything."""

import base64
import copyreg
import io
import os
import pickle
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.core.internals.managers import BlockManager

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


OLD = {
    "pandas 1.5, filtered": (
        "c-n1JQEL=25Z>Fp(^HGJh*~K4;8T5YX^V&tMWGd;o}S`+3CV7H3C(7gB-?smK_5I@$XmzXtCQRwUbR^^JIT(>_sx9st^aE!OXBit4b>&Jc~Kjl"
        "9~oM4@VDMjN8d*K5}tmCGuZTfQcVo_$II?gJ8m>pHm|6r6K*W{l|5A##~<cr4EGPa2%;pje?!2pl2$jeI98mn5EGmq=(cL6^XyftoTSFkDP|>x"
        "7qzy|w1o?fgXjqUCgzSVmoQ3xz<!UxPxuU*qaHr#48*D*ly2IDN_;9`!o~Ugf989;FdmQJ{l*oyQR0AI?BDA;lMK5r;I$vJRw5mZya!gvf=9rB"
        "64H&*u!}q5u2>5+#Qg<{G?G~N>BlS3U;lxA9iR`f%{M-6ZIi8S=!_lkJ&JDu96iJn%$O}h&L9M>Ulpa~U%1T~wJ7CnqWLK~2zSU>?E1mNj-r+*"
        "H2lvx!^5-4Cu?O1et05FUXx(<Pq<-`jqmF)A>(!yYJcT7u492RaU%;Pa-iLd=S$#X@0xDmVFM-TI-jIV5{UP6Bpx;#M-&w&H59OzT2gUGV?~Fk"
        "5_Jye@eDgjjuf3l^AT05KDDH58`O|GP84Mvhw<FDEdK)=uqyZ"
    ),
    "pandas 1.5, concatenated": (
        "c-n1JTWb?R6y8f#;{{6*wNUWEr}$uKQWYPRf)Sw&jpBP5W_PEVp|i8g>}+emf<72qn71B(ub!D~Fln8@%sJU}`Of*i@15TVao~^Ltf<Oq-OozR"
        "`p23U4D6i`)X<OKzJljJ;2e6kLyD;e`*by2D8sa(vhEjD(J9k4*!%BgnVlRid`!2G+YBN_TK`J{yFnUNiR?r&lDZrh{75xLHCt3K8fgU8n$EB)"
        "(JU)fZFG|v7nt}!u(z?c54nPI@DoO13cuhB^u{6nk~#1Vo8)Fzxk+p!-oWL>;(Khvw=kJZ4*uZr*ElecUXFV0W`d-ByX_la^8v$cH*EyMR5(vk"
        "OOY`T#C3OV#*w@EJ^p}iI(Yoy5?tiLZQ1D48l-R6AniFwN4Wl5pLYgiX8^4+1U}>gKC~ePi!<9W1HQ{&F^uQWuztJ>U=FUt);e`L`^xHmN^2zi"
        "E>Y}^?7ROEKYwSFrR}NDQ4Vl(h8Ud}9$nms9BlVg<g6sl?3^;4f<t3F%IRp*%-tsT?DqdqAel^y41w$`^ZMmVb3VG+H$i6`iE4QW!uE}V^%JcS"
        "#Sa$<n7dHSC<)ZL8*Hh0QZPgPq({glH3rpuj{7FZl1{z(gi2YS)g*5!WSSaABuyDg`J!&p{$B|%Fb)"
    ),
    "pandas 2.2, filtered": (
        "c-n1JO>fjN5X~mLumwb^P@xhM2TtWc)b_-o0@NZTSXdDE%5oBSZPjrif3&PbC3;|KCEq&zf&3B}JG){FILc(~%*XS4^R0jNGfm?1Yb{k3HF?=+"
        "mLF<bGw>^~sikkCe+f^|;1o7}pVSi#{_%3SP?l*$rO9im=!9tl{?49k%A*h69@G7Uc?OZ9Fn?0OuM($PQ65P~ijWh6*OjZ=X;-~=(h90Ionlp@"
        "S=lIKwJU819K=BIH?ejMxr9;j9rk+#{D9A}IqKn)&VaA_L1m|HxQS22bGSI~{%5|o3*+(l-7j3xj1mjQ#s0mlV<s8SzktVnSU7=j6yhEjDM}U_"
        "hAyGpC=Hh1=6Cs8fWhxCK%^1GhEG3UYyI`F)-OZr1El%Jr>$+WwGDG;2Yip>TLQxf{sb##%PnURk~Xf3Qn4@0<OMY-<t?Jv33(gN5Ha8NgM}YO"
        "tx#zA7j=f4XAw{4L<N3$EGpKJ;P#K1E+QJ=S7AcNZWiwTg1^FweD6OL;N}tXI;S&9mw4sxyL1)|&KN3%;}=jZMv>Ia(g^basi)TBkewnu<WSN{"
        "bRSYFn-fDS*P<}gG9qcgaKg@wEArpDG#bt"
    ),
    "pandas 2.2, concatenated": (
        "c-m!B-)j^x5Z)iRdj7ytL@fvkKAjIPy(@wbO3@QRkDlUt3EAEBvNW4rl5FdN1%2>rA#WZ3UY+Fj@UG25GP9Za^3BZmqxa`&9Qb9o8!8K`)4WzJ"
        "JyNt{U~j#rhJNt&B|QHLXE3lmQq2_DC+p#*G)ze<bXrkKXH03Zci)LRKR#Icm~J0-8AOzs{+|MNi?p&S^JBqC=5k!{1KC#1e2HGQ!jx1gI!9EZ"
        "SYAtQRGS+YnD{`jHxb*1T*4&y1>-P--|!U%lMugT0es6Qg_$?55*wAT;NpCFAKUOXOsCUNe{uP35*WxX#)GaiLDHT5?u@VafZ?{EwI$M&SWluw"
        "nKMtsz3!fwL~iGI_&vVu=<)k2a*-#uW24U-l)hh~wC^Y#V*77=*&UMIA#}zF_=per$c7Xw)@;KZ_#S`BFrGg{{CJ(f0vyE7=I9Fcjp;O_8V7!x"
        "NOnp-x_`)@zp=^6_M<OQ4sgAO7@ZfMUEG!h*#1dbu$nltcfwQ#j*aa}r=w}RaGluaZxNA?uY)D%JjU*K%?-ltjDpP-t#zLtEMb}3P@y<y6t82u"
        "5;Ccnp`QLB4u~3q5<SBvk|RN9-h4!bs82O1+6Ko*4I_eP4E1@g+bsPDNpc?M"
    ),
}
"""Pickled by pandas on NumPy 1: `table()` without its second row, alone and behind the whole table; zlib, base 85."""


def packed(name: str) -> bytes:
    return zlib.decompress(base64.b85decode(OLD[name]))


@pytest.mark.parametrize("name", OLD)
def test_tables_that_were_saved_again_with_numpy_1_are_read(tmp_path, name):
    (tmp_path / "a.pkl").write_bytes(packed(name))
    some = table()[[True, False, True]]
    expected = some if "filtered" in name else pd.concat([table(), some])
    pd.testing.assert_frame_equal(read_split(tmp_path / "a.pkl"), expected, check_column_type=False, check_dtype=False)


class OldPickler(pickle.Pickler):
    """Writes a table's blocks as pandas before 1.3 did: as the state of their manager."""

    def reducer_override(self, thing):
        if type(thing) is not BlockManager:
            return NotImplemented
        blocks = [{"values": block.values, "mgr_locs": block.mgr_locs.indexer} for block in thing.blocks]
        values = [block.values for block in thing.blocks]
        state = thing.axes, values, [thing.axes[0]] * len(values), {"0.14.1": {"axes": thing.axes, "blocks": blocks}}
        return copyreg.__newobj__, (BlockManager,), state


@pytest.mark.parametrize("protocol", [2, 4])
def test_blocks_as_the_state_of_their_manager_are_read(tmp_path, protocol):
    written = table().astype({"video_id": object, "verb": object})
    with (tmp_path / "a.pkl").open("wb") as file:
        OldPickler(file, protocol).dump(written)
    pd.testing.assert_frame_equal(read_split(tmp_path / "a.pkl"), written)


def test_lists_of_words_and_of_numbers_are_read(tmp_path):
    written = table().assign(
        all_nouns=[["cup", "tap"]] * 3, all_noun_classes=[[1, 2], [3], []], seen=[True, False, True]
    )
    written["narration"] = np.array(["cut", None, np.int64(3)], object)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(written, 2))
    pd.testing.assert_frame_equal(read_split(tmp_path / "a.pkl"), written)


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def array_of(dtype: bytes, shape: bytes, data: bytes) -> bytes:
    """An array by hand, of a type, a shape and content."""
    made = named("numpy.core.multiarray", "_reconstruct") + b"(" + named("numpy", "ndarray") + b"(K\0tC\x01btR"
    return made + b"(K\x01(" + shape + b"t" + dtype + b"\x89" + data + b"tb"


def dtype_of(kind: str, state: bytes) -> bytes:
    return named("numpy", "dtype") + b"(\x8c" + bytes([len(kind)]) + kind.encode() + b"\x89\x88tR" + state


OBJECTS = b"(K\x03\x8c\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK%b"
BYTES = b"C\x08" + b"\x41" * 6 + b"\0\0"
REACHING = {
    "objects that say they are bytes": array_of(dtype_of("O8", OBJECTS.replace(b"%", b"\0") + b"tb"), b"K\x01", BYTES),
    "objects of bytes": array_of(dtype_of("O8", OBJECTS.replace(b"%", b"?") + b"tb"), b"K\x01", BYTES),
    "more numbers than bytes": array_of(dtype_of("i8", b""), b"J\0\0\0\x7f", BYTES),
    "less than nothing": array_of(dtype_of("i8", b""), b"J\xff\xff\xff\xff", BYTES),
    "fields": array_of(dtype_of("V8", b"(K\x03\x8c\x01|N(\x8c\x01atN)K\x08K\x01K\x10tb"), b"K\x01", BYTES),
    "dates": array_of(dtype_of("M8", b""), b"K\x01", BYTES),
}


@pytest.mark.parametrize("name", REACHING)
def test_states_that_reach_memory_are_refused(tmp_path, name):
    manager = named("pandas.core.internals.managers", "BlockManager")
    block = (
        named("pandas._libs.internals", "_unpickle_block")
        + b"("
        + REACHING[name]
        + b"c__builtin__\nslice\n(K\0K\x01K\x01tRK\x02tR"
    )
    index = named("pandas.core.indexes.base", "_new_Index") + b"(" + named("pandas.core.indexes.range", "RangeIndex")
    index += b"}(\x8c\x05startK\0\x8c\x04stopK\x01\x8c\x04stepK\x01utR"
    table = (
        named("pandas.core.frame", "DataFrame")
        + b")\x81}\x8c\x04_mgr"
        + manager
        + b"(("
        + block
        + b"t]"
        + index
        + b"a"
        + index
        + b"atRsb."
    )
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04" + table)
    with pytest.raises(DataError, match="was refused; nothing of it was run"):
        read_split(tmp_path / "a.pkl")


DEEP = {
    "a key of tuples in tuples": b"\x80\x04}" + b"(" + b"t\x85" + b"\x85" * 400_000 + b"K\x01s.",
    "members of a set": b"\x80\x04\x8f(" + b")" + b"\x85" * 400_000 + b"\x90.",
    "bytes that are not there": b"\x80\x05\x96" + (1 << 45).to_bytes(8, "little") + b".",
    "an array of bytes that are not there": b"\x80\x05\x96" + (1 << 62).to_bytes(8, "little") + b"x.",
    "a state of a mapping": b"\x80\x04}}b.",
    "a call of a text": b"\x80\x04\x8c\x01x)R.",
}

FUZZ = """
import random, resource, sys
from pathlib import Path
from egonorm.core import DataError
from egonorm.data.sets.epic55.splits import read_split
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
path, drawn, kinds = Path(sys.argv[1]) / "damaged.pkl", random.Random(int(sys.argv[2])), [0, 0]
for whole in [file.read_bytes() for file in sorted(Path(sys.argv[1]).glob("whole-*"))]:
    for _ in range(int(sys.argv[3])):
        content = bytearray(whole)
        for _ in range(drawn.choice([1, 1, 2, 4])):
            place, way = drawn.randrange(len(content)), drawn.random()
            if way < 0.6:
                content[place] = drawn.randrange(256)
            elif way < 0.8:
                del content[place : place + drawn.randrange(1, 9)]
            else:
                content[place:place] = content[: drawn.randrange(1, 30)]
        path.write_bytes(content)
        try:
            read_split(path)
            kinds[0] += 1
        except DataError:
            kinds[1] += 1
print(*kinds)
"""


@pytest.mark.slow
def test_no_damage_ends_the_program(tmp_path):
    """Random bytes changed, removed and doubled in tables of every kind, in a process of its own."""
    for number, content in enumerate([*map(packed, OLD), *(pickle.dumps(table(), protocol) for protocol in (2, 5))]):
        (tmp_path / f"whole-{number}").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(tmp_path), "0", "200"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == 6 * 200 and refused > 500 and read > 50


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEP)
def test_what_nests_or_claims_too_much_is_refused(tmp_path, name):
    (tmp_path / "a.pkl").write_bytes(DEEP[name])
    with pytest.raises(DataError, match=r"was refused|cannot be read"):
        read_split(tmp_path / "a.pkl")
