"""One small table in its four forms, letter by letter."""

import pytest

from egonorm.aggregate.table import Cell, Table, render_table
from egonorm.core.text import csv_of

COLUMNS = {
    "method": ["rna|x", "a_b & {c} #1"],
    "top-1 50%": [Cell(51.25, ".1f", 2.04, (44.4, 58.6)), Cell(50.0, ".2f")],
    "gain": [Cell(-0.01, "+z.1f", None, (-1.26, 1.24), "+z.1f"), ""],
    "p": [Cell(0.0123, ".2g", mark="‡"), Cell(1.0, ".2g", mark="†")],
    "sd alone": ["", Cell(3.0, ".0f", 0.5)],
}
CAPTION = "$p$ < 0.05 > 0 [red] :a:" + " words" * 15
FORMS = {
    "text": [
        "",
        " method        top-1 50%            gain               p        sd alone",
        " ───────────────────────────────────────────────────────────────────────",
        " rna|x         51.2 ± 2.0 [44, 59]  +0.0 [-1.3, +1.2]  0.012 ‡",
        " a_b & {c} #1  50.00                                   1 †      3 ± 0.5",
        "",
        "$p$ < 0.05 > 0 [red] :a:" + " words" * 12,
        "words words words",
    ],
    "markdown": [
        r"| method | top-1 50% | gain | p | sd alone |",
        "| --- | --- | --- | --- | --- |",
        r"| rna\|x | 51.2 ± 2.0 [44, 59] | +0.0 [-1.3, +1.2] | 0.012 ‡ |  |",
        "| a_b & {c} #1 | 50.00 |  | 1 † | 3 ± 0.5 |",
        "",
        r"\$p\$ \< 0.05 \> 0 \[red\] :a:" + " words" * 15,
        "",
    ],
    "csv": [
        "method,top-1 50%,top-1 50% sd,top-1 50% low,top-1 50% high,gain,gain sd,gain low,gain high,p,p mark,"
        "sd alone,sd alone sd,sd alone low,sd alone high",
        "rna|x,51.25,2.04,44.4,58.6,-0.01,,-1.26,1.24,0.0123,‡,,,,",
        "a_b & {c} #1,50.0,,,,,,,,1.0,†,3.0,0.5,,",
        "",
    ],
    "latex": [
        r"\begin{table}",
        r"\centering",
        r"\caption{\$p\$ $<$ 0.05 $>$ 0 [red] :a:" + " words" * 15 + "}",
        r"\begin{tabular}{lllll}",
        r"\hline",
        r"method & top-1 50\% & gain & p & sd alone \\",
        r"\hline",
        r"rna$|$x & 51.2 $\pm$ 2.0 [44, 59] & +0.0 [-1.3, +1.2] & 0.012 $\ddagger$ &  \\",
        r"a\_b \& \{c\} \#1 & 50.00 &  & 1 $\dagger$ & 3 $\pm$ 0.5 \\",
        r"\hline",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_table_in_each_form(form):
    text = render_table(Table.of(COLUMNS, [CAPTION]), form)
    if form == "text":
        assert [line.rstrip() for line in text.splitlines()] == FORMS[form] and text.endswith("words\n")
    else:
        assert text == "\n".join(FORMS[form])


ODD = "\x1b[2J\u202e\r\n[red]\\^~#%&_{}$*<b>`"
"""A name as whoever wishes harm would choose it."""
VISIBLE = r"\x1b[2J\u202e\r\n[red]"


def test_odd_names_act_nowhere():
    table = Table.of({ODD: [ODD, "=1+1"], "n": [Cell(-3.2, ".1f"), "-3.2"]}, [ODD])
    texts = {form: render_table(table, form) for form in FORMS}
    for text in texts.values():
        assert not set("\x1b\u202e\r") & set(text)
    assert (
        texts["text"].count(VISIBLE + r"\^~#%&_{}$*<b>`") == 2 and r"\x1b[2J\u202e\r" in texts["text"].splitlines()[-2]
    )
    assert texts["markdown"].count(r"\\x1b\[2J\\u202e\\r\\n\[red\]\\^\~#%&\_{}\$\*\<b\>\`") == 3
    assert r"[red]\textbackslash{}\textasciicircum{}\textasciitilde{}\#\%\&\_\{\}\$*$<$b$>$`" in texts["latex"]
    for name in ("[2cm]", "*"):
        assert f"\n{{}}{name} \\\\\n" in render_table(Table.of({"a": ["x", name]}, ["caption"]), "latex")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-1-1", "'-1-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", "' =1"),
        ("\t=1", r"\t=1"),
        ("\r=1", r"\r=1"),
        ("＝1", "'＝1"),
        ("-3.2", "-3.2"),
        ("+3e-05", "+3e-05"),
        (-3.2, "-3.2"),
        ("rna", "rna"),
    ],
)
def test_a_spreadsheet_computes_no_text(cell, written):
    assert csv_of(["a"], [[cell]]) == f"a\n{written}\n"


def test_wide_letters_have_room():
    lines = render_table(Table.of({"label": ["漢" * 60]}, ["caption"]), "text").splitlines()
    assert "漢" * 60 in lines[3]


def test_text_has_every_cell_on_one_line_however_wide_and_a_caption_of_a_hundred_letters_a_line():
    caption = f"{'c' * 50} {'d' * 50}"
    table = Table.of({"title": ["a" * 150], "t" * 160: ["b" * 120]}, [caption])
    lines = [line.strip() for line in render_table(table, "text").splitlines()]
    assert lines[1].endswith("  " + "t" * 160) and lines[3] == "a" * 150 + "  " + "b" * 120
    assert lines[-2:] == ["c" * 50, "d" * 50]


def test_columns_have_one_length():
    with pytest.raises(ValueError, match="shorter"):
        Table.of({"a": ["1"], "b": []}, ["caption"])
