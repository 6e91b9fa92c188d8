"""Names of clips, labels, paths and methods are repeated in errors, notes and bars: none of them acts on a terminal."""

import io
import sys

import pytest

from egonorm.cli import main
from egonorm.core import DataError
from egonorm.core.progress import bar
from egonorm.core.text import one_line, printable, say
from egonorm.data.check import Problem, describe_problems

ACTING = ("\x1b", "\x07", "\r", "\x9b", "\u202e", "\u2066", "\u200b", "\ud800", "\u2028", "\U000e0041")


@pytest.mark.parametrize("character", ACTING)
def test_what_acts_is_seen(character):
    error = DataError(f"a{character}b", got=character, expected=character, remedy=character)
    for text in (printable(f"a{character}b"), str(error)):
        assert character not in text and character.encode("unicode_escape").decode() in text
    assert error.what == f"a{character}b", "the parts are as they were"


def test_letters_of_all_languages_and_ends_of_lines_stay():
    text = "naïve 漢字 می‌خواهم 👩‍🍳\u00a0[red]\nnext"  # with both joiners
    assert printable(text) == text and one_line(text) == text.replace("\n", r"\n")


def test_what_an_encoding_lacks_is_seen():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    say("± \x1b[2J", stream)
    stream.flush()
    assert stream.buffer.getvalue() == rb"\xb1 \x1b[2J" + b"\n"


def test_a_bar_shows_its_title_as_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with bar("[red]\x1b[2J\n") as progress:
        progress(1, 1)
    assert r"[red]\x1b[2J\n" in sys.stderr.getvalue() and "\x1b[2J" not in sys.stderr.getvalue()


def test_words_that_are_no_command_are_repeated_harmlessly(capsys):
    with pytest.raises(SystemExit):
        main(["weights", "\x1b[2Jx"])
    told = capsys.readouterr()
    assert r"\x1b[2Jx" in told.err and "\x1b[2J" not in told.out + told.err


def test_a_command_repeats_no_escape(tmp_path, capsys):
    head = "uid,media,start,stop,label,domain,split\n"
    row = "\x1b[2Ju,\x1b[2Jb.mp4,0,1,\x1b]0;t\x07cut,\x1b]0;t\x07home,{}\n"
    (tmp_path / "manifest.csv").write_text(head + row.format("train") + row.replace("Ju", "Jv").format("test"))
    with pytest.raises(SystemExit) as ended:
        main(["data", "check", f"folder:{tmp_path}"])
    told = f"{ended.value}{''.join(capsys.readouterr())}"
    assert r"\x1b[2Jb.mp4" in told and not {"\x07", "\x1b[2J", "\x1b]0"} & {
        part for part in ("\x07", "\x1b[2J", "\x1b]0") if part in told
    }


def test_a_name_with_an_end_of_line_forges_no_line():
    error = DataError("c", got="no\nfile", expected="one", remedy="Get it.")
    told = describe_problems([Problem("a\n  remedy:   rm -r", "audio", error, ("u\nv",))])
    assert len(told.splitlines()) == 2 and r"a\n  remedy:" in told
