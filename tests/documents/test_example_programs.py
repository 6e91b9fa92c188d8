"""Every example is run as a program, on small data."""

import runpy
import sys

import av
import pytest
from blocks import ROOT

EXAMPLES = {
    "contact_sheet.py": (["kitchens:kitchens", "sheet.png"], "sheet.png: rows D1, D2, D3; columns take, put, open"),
    "one_loss.py": ([], "step 8: mean norms rgb"),
    "size_of_the_test.py": (["2"], "| mostly seeds |"),
}
"""Its words, and something of what it prints."""


def run_example(name, monkeypatch, capsys):
    words, printed = EXAMPLES[name]
    monkeypatch.setattr(sys, "argv", [name, *words])
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    text = capsys.readouterr().out
    assert printed in text
    return text


def test_every_example_is_run():
    assert set(EXAMPLES) == {path.name for path in (ROOT / "examples").iterdir() if path.suffix == ".py"}


@pytest.mark.slow
def test_the_contact_sheet_shows_each_class_in_each_domain(kitchens, tmp_path, monkeypatch, capsys):
    (tmp_path / "kitchens").symlink_to(kitchens)
    monkeypatch.chdir(tmp_path)
    run_example("contact_sheet.py", monkeypatch, capsys)
    with av.open("sheet.png") as file:
        picture = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == (3 * 124, 8 * 124, 3)
    cells = picture.reshape(3, 124, 8, 124, 3).swapaxes(1, 2).reshape(24, 124, 124, 3)
    assert all(cell[2:-2, 2:-2].std() > 10 for cell in cells), "a cell shows nothing"
    assert len({cell.tobytes() for cell in cells}) == 24


def test_one_loss_brings_the_norms_together(monkeypatch, capsys):
    lines = run_example("one_loss.py", monkeypatch, capsys).splitlines()
    losses = [float(line.rpartition(" ")[2]) for line in lines]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.1


def test_the_size_of_the_test_is_a_share_of_draws(monkeypatch, capsys):
    text = run_example("size_of_the_test.py", monkeypatch, capsys)
    shares = [
        float(x)
        for line in text.splitlines()
        if " / " in line and "|" in line
        for x in line.replace("|", "/").split("/")[2:-1]
    ]
    assert len(shares) == 2 * 5 * 10 * 2 and set(shares) <= {0.0, 50.0, 100.0}
