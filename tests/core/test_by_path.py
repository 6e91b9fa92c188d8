"""Classes by name and by path: what is found, how options are read, and what is refused in which words."""

import sys

import pytest

from core.choosable import Animal, Bare, Cat, Needy, Open
from egonorm.core import SettingError
from egonorm.core.by_path import check_options, find_class, import_class, make, path_of, read_options, split_choice


def test_a_choice_is_a_name_and_options():
    assert split_choice("rna") == ("rna", {})
    assert split_choice("rna:weight=0.5:alpha=x=y") == ("rna", {"weight": "0.5", "alpha": "x=y"})
    assert split_choice("my.module:Net:depth=18") == ("my.module:Net", {"depth": "18"})
    assert split_choice("lite0:weights=https://host:80/a.pt:width=2") == (
        "lite0",
        {"weights": "https://host:80/a.pt", "width": "2"},
    )
    with pytest.raises(SettingError, match=r"got: +depth, depth\n +expected: each option once"):
        split_choice("Net:depth=1:depth=2")


def test_a_class_is_found_by_name_and_by_path():
    assert find_class("cat", {"cat": Cat}, Animal, "animal") is Cat
    assert find_class(path_of(Cat), {}, Animal, "animal") is Cat
    with pytest.raises(SettingError, match=r"There is no animal 'cow'(.|\n)*expected: cat, package.module:Class"):
        find_class("cow", {"cat": Cat}, Animal, "animal")


def test_a_module_of_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "lying_here.py").write_text("from core.choosable import Animal\nclass Dog(Animal): pass\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SettingError, match=r"cannot be imported(.|\n)*No module named 'lying_here'(.|\n)*PYTHONPATH"):
        import_class("lying_here:Dog", Animal, "animal")
    monkeypatch.chdir(tmp_path)
    assert import_class("lying_here:Dog", Animal, "animal").__name__ == "Dog"
    (tmp_path / "lying_broken.py").write_text("1 / 0\n")
    with pytest.raises(SettingError, match=r"got: +ZeroDivisionError: division by zero"):
        import_class("lying_broken:Dog", Animal, "animal")
    (tmp_path / "lying_program.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(SettingError, match=r"cannot be imported\.\n +got: +SystemExit: 3"):
        import_class("lying_program:Dog", Animal, "animal")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("core.choosable:Cow", r"got: +the module core.choosable without Cow\n +expected: a module that defines Cow"),
        ("core.choosable:NUMBER", r"is no animal.\n +got: +a int\n +expected: a subclass of core.choosable.Animal"),
        (
            "pathlib:Path",
            r"is no animal.\n +got: +a class that inherits PurePath(.|\n)*remedy: +Let Path inherit Animal",
        ),
        (":Cat", r"expected: package.module:Class"),
        ("core.choosable:", r"expected: package.module:Class"),
    ],
)
def test_what_is_no_such_class_is_refused(path, message):
    with pytest.raises(SettingError, match=message):
        import_class(path, Animal, "animal")


def test_options_are_read_by_their_types():
    texts = {
        "weight": "3",
        "legs": "3",
        "tame": "false",
        "name": "8",
        "coat": "long",
        "tail": "2",
        "whiskers": "(1, 2)",
    }
    found = read_options(Cat, texts, "cat")
    assert found == {
        "weight": 3.0,
        "legs": 3,
        "tame": False,
        "name": "8",
        "coat": "long",
        "tail": 2.0,
        "whiskers": (1, 2),
    }
    assert type(found["weight"]) is type(found["tail"]) is float and type(found["legs"]) is int
    assert read_options(Cat, {"tail": "None"}, "cat") == {"tail": None}
    assert read_options(Bare, {"size": "0.5"}, "bare") == {"size": 0.5}
    assert read_options(Open, {"any": "thing", "on": "true"}, "open") == {"any": "thing", "on": True}
    assert check_options(Cat, {"whiskers": [1, 2], "weight": 1}, "cat") == {"whiskers": (1, 2), "weight": 1.0}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"wings": "2"}, r"my.zoo:Cat has no option wings.\n +got: +wings=2\n +expected: weight, legs, tame"),
        ({"legs": "2.5"}, r"my.zoo:Cat cannot use this legs.\n +got: +2.5\n +expected: int\n +remedy: +Correct legs."),
        ({"legs": "true"}, r"expected: int"),
        ({"weight": "heavy"}, r"got: +'heavy'\n +expected: float"),
        ({"tame": "1"}, r"got: +1\n +expected: bool"),
        ({"coat": "curly"}, r"got: +'curly'\n +expected: 'short' or 'long'"),
        ({"tail": "long"}, r"got: +'long'\n +expected: float \| None"),
    ],
)
def test_options_that_do_not_fit_are_refused(texts, message):
    with pytest.raises(SettingError, match=message):
        read_options(Cat, texts, "my.zoo:Cat")


def test_a_class_is_made_with_all_that_it_needs():
    assert make(Cat, {"legs": 3}, "cat") == Cat(legs=3)
    assert make(Needy, {"food": 2}, "needy").food == 2.0
    assert make(Open, {"any": 1}, "open").options == {"any": 1}
    with pytest.raises(SettingError, match=r"got: +none\n +expected: food\n +remedy: +Write my.zoo:Needy:food=VALUE"):
        make(Needy, {}, "my.zoo:Needy")
