"""A user's methods on the command line: by path with options, in the folder that they lie in, in sweeps, tables and errors."""

import json
import shutil
import sys
from itertools import count
from pathlib import Path

import pytest

from egonorm import cli
from egonorm.runs.config import read_run
from egonorm.runs.results import find_runs

NUMBERS = count()
OWN = Path(__file__).parents[1] / "methods" / "user_methods.py"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The name of a user's module in the current folder; another one for each test, for what is imported stays."""
    package = f"mine{next(NUMBERS)}"
    (tmp_path / package).mkdir()
    shutil.copy(OWN, tmp_path / package / "study.py")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.chdir(tmp_path)
    return f"{package}.study"


def train(small, *words):
    cli.main(["train", *small, "--device", "cpu", "--workers", "0", "--setting", "dgn:D1+D2:D3", *words])
    return find_runs(Path("runs"))


def refusal(*words):
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    text = str(caught.value)
    assert text.startswith("error: ") and all(f"  {word}" in text for word in ("got:", "expected:", "remedy:"))
    return text


@pytest.mark.slow
def test_a_users_method_is_a_subcommand_with_its_options(study, small, capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", f"{study}:VRex", "--help"])
    text = capsys.readouterr().out
    assert "V-REx: the variance over the sources" in text and "--weight FLOAT  Weight of the variance" in text
    (folder,) = train(small, f"{study}:VRex", "--weight", "2")
    assert folder.name.startswith(f"{study}-VRex-dgn-D1+D2-D3-0-")
    tree = json.loads((folder / "config.json").read_text())["method"]
    assert tree == {"name": f"{study}:VRex", "weight": 2.0}
    assert read_run(folder).method.label() == f"{study}:VRex:weight=2"
    assert set(json.loads((folder / "train.jsonl").read_text().splitlines()[0])["terms"]) == {"class", "v-rex"}


DEMANDING = """

@dataclass(frozen=True)
class Demanding(Method):
    \"\"\"Wants a weight.\"\"\"

    weight: float = 0.0

    def __post_init__(self):
        if self.weight <= 0:
            raise ValueError(f"the weight {self.weight} is not above 0")
"""


@pytest.mark.slow
def test_a_method_whose_defaults_its_own_check_refuses_stands_in_nobodys_way(study, small):
    module = Path(f"{study.replace('.', '/')}.py")
    module.write_text(module.read_text() + DEMANDING)
    assert len(train(small, f"{study}:VRex")) == 1
    assert "ValueError: the weight -1.0 is not above 0" in refusal(
        "train", *small, "--setting", "dgn:D1+D2:D3", f"{study}:Demanding:weight=-1"
    )
    assert len(train(small, f"{study}:Demanding:weight=2")) == 2
    assert len(train(small, f"{study}:Demanding", "--weight", "3")) == 3


@pytest.mark.slow
def test_options_may_stand_in_the_name_and_be_changed_behind_it(study, small):
    train(small, f"{study}:VRex:weight=2")
    train(small, f"{study}:VRex:weight=5", "--weight", "2")  # the same run: nothing is done
    train(small, "rna:weight=0.5:numerator=first", "--weight", "0.25")
    labels = {read_run(folder).method.label() for folder in find_runs(Path("runs"))}
    assert labels == {f"{study}:VRex:weight=2", "rna:weight=0.25:numerator=first"}


@pytest.mark.slow
def test_the_options_of_a_compositions_parts_have_the_parts_name_where_they_need_it(study, small, capsys):
    (folder,) = train(small, f"{study}:VRexRna", "--v-rex.weight", "2", "--rna.form", "mean_of_ratios")
    assert read_run(folder).method.label() == f"{study}:VRexRna:v_rex.weight=2:rna.form=mean_of_ratios"
    with pytest.raises(SystemExit):
        cli.main(["train", "mm-sada", "--help"])
    assert "--reversal" in capsys.readouterr().out


@pytest.mark.slow
def test_two_settings_of_one_method_stand_side_by_side(study, small, capsys):
    methods = f"source-only,{study}:VRex,{study}:VRex:weight=0.1,{study}:Ogm"
    words = [
        *small,
        "--seeds",
        "0",
        "--setting",
        "dgn:D1+D2:D3",
        "--jobs",
        "1",
        "--device",
        "cpu",
        "--methods",
        methods,
    ]
    cli.main(["bench", "paper.table1", *words])
    assert "4 were done now" in capsys.readouterr().out
    cli.main(["bench", "paper.table1", *words])
    assert "4 of 4 runs were complete already" in capsys.readouterr().out
    cli.main(["table", "runs", "--format", "csv"])
    lines = capsys.readouterr().out.splitlines()
    assert {line.split(",")[0] for line in lines[1:] if line} == set(methods.split(","))
    config = next(Path("runs").glob(f"{study}-Ogm*")) / "config.json"
    config.write_text(config.read_text().replace(f"{study}:Ogm", "lost.study:Ogm"))
    cli.main(["table", "runs"])
    text = " ".join(capsys.readouterr().out.split())
    assert (
        f"Left out: {config.parent} is a run of a method that is not here. Got lost.study:Ogm: ModuleNotFound" in text
    )
    text = refusal("train", "--resume", config.parent)
    assert "is a run of a method that is not here" in text and "PYTHONPATH" in text


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mine.nowhere:VRex", "ModuleNotFoundError: No module named 'mine"),
        ("mine.study:Nothing", "study without Nothing"),
        ("mine.study:helper", "a function"),
        ("mine.study:Base", "a base class without loss"),
        ("mine.study:VRex:wait=2", "has no option wait"),
        ("mine.study:VRex:weight=much", "expected: float"),
        ("mine.study:Deeper:power=-1", "the power -1.0 is not above 0"),
        ("rna:weight=much", "expected: float"),
    ],
)
def test_what_names_no_method_is_refused_and_nothing_is_written(study, small, word, message):
    word = word.replace("mine.study", study)
    before = sorted(Path().rglob("*"))
    assert message in refusal("train", *small, "--setting", "dgn:D1+D2:D3", word)
    assert message in refusal("bench", "paper.table1", *small, "--methods", f"source-only,{word}")
    assert [path for path in sorted(Path().rglob("*")) if "__pycache__" not in str(path)] == before


def test_one_source_is_refused_before_anything_is_written(study, small):
    text = refusal("train", *small, "--device", "cpu", "--setting", "dg1:D1:D2", f"{study}:VRex")
    assert f"method {study}:VRex cannot work in the setting dg1:D1:D2 with 1 source" in text
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["rnaa", "our_methods.Spread"])
def test_a_word_that_names_no_method_is_told_with_those_that_there_are(name, tmp_path):
    told = rf"There is no such method\.\n  got:      {name}\n  expected: .*source-only.*, package\.module:Class\n"
    with pytest.raises(SystemExit, match=told):
        cli.main(["train", "--data", "kitchens:K", "--setting", "dg1:D1:D2", "--out", str(tmp_path / "runs"), name])
    assert not list(tmp_path.iterdir())
