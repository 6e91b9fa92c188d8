"""Methods by name, by path and with options: what is found, what a label says, and what is refused in which words."""

import sys
from dataclasses import dataclass, fields, replace

import pytest

from egonorm.core import SettingError
from egonorm.core.by_path import path_of
from egonorm.methods import Method, Rna, SourceOnly, find_method, methods, parse_method
from egonorm.methods.base import given_options, split_methods
from egonorm.methods.grl import Grl
from egonorm.methods.hna import Hna
from egonorm.methods.mm_sada import MmSada
from egonorm.methods.ss import Ss
from our_methods import our_methods
from refusals import refused


@pytest.fixture
def own():
    """The module with a user's methods, imported when a test needs it: what is imported is known from then on."""
    import user_methods

    return user_methods


def test_ours_are_named_in_kebab_case_and_a_users_by_path(own):
    assert {"source-only": SourceOnly, "rna": Rna, "mm-sada": MmSada}.items() <= methods().items()
    assert own.VRex.name() == "user_methods:VRex" and methods()["user_methods:VRex"] is own.VRex
    assert find_method("user_methods:VRex") is own.VRex


def test_a_subclass_of_any_depth_is_found_and_a_base_is_not(own):
    assert methods()["user_methods:Deeper"] is own.Deeper
    assert own.Base not in methods().values()


def test_two_classes_of_one_name_are_refused_and_a_class_that_is_defined_anew_replaces_the_old(monkeypatch):
    def define(where):
        body = {"__module__": where, "__qualname__": "Twice"}
        return dataclass(frozen=True)(type("Twice", (Method,), body))

    first, again = define("a_notebook"), define("a_notebook")
    assert methods()["a_notebook:Twice"] is again and first is not again
    other = define("egonorm.methods.one"), define("egonorm.methods.two")
    with refused(
        SettingError,
        "Two methods are called twice.",
        "egonorm.methods.one.Twice and egonorm.methods.two.Twice",
        "one class of each name",
        "Rename one of them.",
    ):
        methods()
    for found in (first, again, *other):  # out of sight of the other tests
        found.__module__ = "gone"
        found.__qualname__ = f"Twice{id(found)}"


@pytest.mark.parametrize(
    ("method", "label"),
    [
        (Rna(), "rna"),
        (Rna(weight=0.5), "rna:weight=0.5"),
        (Rna(weight=2.0, form="mean_of_ratios"), "rna:weight=2:form=mean_of_ratios"),
        (Rna(form="mean_of_ratios", weight=2.0), "rna:weight=2:form=mean_of_ratios"),
        (Hna(7.32), "hna:radius=7.32"),
        (Rna(weight=1e-7), "rna:weight=1e-07"),
        (MmSada(), "mm-sada"),
        (MmSada(ss=Ss(class_on="all"), grl=Grl(begin=0.0)), "mm-sada:ss.class_on=all:grl.begin=0"),
    ],
)
def test_a_label_is_the_shortest_text_that_is_read_back(method, label):
    assert method.label() == label and parse_method(label) == method


def test_labels_of_a_users_methods(own):
    made = own.VRexRna(v_rex=own.VRex(weight=3.0))
    assert made.label() == "user_methods:VRexRna:v_rex.weight=3"
    assert (
        parse_method("user_methods:VRexRna:v_rex.weight=3:rna.weight=0.5") == made
    )  # a part's usual options are its holder's
    assert parse_method("user_methods:VRexRna:rna.weight=1").rna == Rna()
    needy = own.Needy((0.5, 2.0), "a:b")
    assert needy.label() == "user_methods:Needy:taus=(0.5, 2.0):name_of=a:b" and parse_method(needy.label()) == needy


def test_every_number_of_every_method_is_part_of_its_label():
    for kind in our_methods().values():
        for name in [field.name for field in fields(kind) if isinstance(getattr(kind(), field.name), float)]:
            changed = replace(kind(), **{name: 0.125})
            assert changed.label() == f"{kind.name()}:{name}=0.125" and parse_method(changed.label()) == changed


def test_a_program_is_named_by_its_file(tmp_path, monkeypatch):
    class Made(Method):
        """A method in the program that runs."""

    program = type(sys)("__main__")
    program.__file__, program.__spec__ = str(tmp_path / "my_study.py"), None
    monkeypatch.setitem(sys.modules, "__main__", program)
    Made.__module__, Made.__qualname__ = "__main__", "Made"
    assert path_of(Made) == "my_study:Made" and methods()["my_study:Made"] is Made
    program.__spec__ = type(sys.__spec__)("study.program", None)
    assert path_of(Made) == "study.program:Made"
    Made.__module__ = "gone"


def test_a_users_method_is_found_as_runs_were_called_before():
    class CalledAsBefore(Method):
        """A user's method, of which there are runs."""

    assert find_method("called-as-before") is CalledAsBefore


def test_a_list_of_methods_and_what_they_give():
    text = "source-only, rna,my.module:VRex:weight=2:taus=(0.5, 2.0),my.module:VREX:x=[1,[2,3],4],hna:radius=7"
    found = ["source-only", "rna", "my.module:VRex:weight=2:taus=(0.5, 2.0)", "my.module:VREX:x=[1,[2,3],4]"]
    found.append("hna:radius=7")
    assert split_methods(text) == found
    assert [given_options(one) for one in found] == [set(), set(), {"weight", "taus"}, {"x"}, {"radius"}]
    assert given_options("mm-sada:grl.begin=0") == {"grl"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ran", r"There is no method 'ran'(.|\n)*expected: .*rna(.|\n)*package.module:Class"),
        ("nowhere.at_all:VRex", r"cannot be imported(.|\n)*No module named 'nowhere'(.|\n)*PYTHONPATH"),
        ("user_methods:Missing", r"the module user_methods without Missing"),
        ("user_methods:helper", r"user_methods:helper is no method.\n +got: +a function"),
        ("pathlib:Path", r"pathlib:Path is no method.(.|\n)*a subclass of egonorm.methods.base.Method"),
        ("user_methods:Needy", r"needs more options(.|\n)*expected: taus(.|\n)*Write user_methods:Needy:taus=VALUE"),
        ("user_methods:VRex:wait=2", r"has no option wait.\n +got: +wait=2\n +expected: weight\n"),
        ("user_methods:VRex:weight=much", r"cannot use this weight.\n +got: +'much'\n +expected: float"),
        ("user_methods:VRexRna:rna.wait=2", r"VRexRna:rna has no option wait(.|\n)*expected: weight, numerator, form"),
        ("user_methods:VRexRna:rna=2", r"cannot use this rna.\n +got: +2\n +expected: Rna"),
        ("rna:weight=1:weight=2", r"each option once"),
        ("rna:numerator=third", r"got: +'third'\n +expected: 'second' or 'first'"),
    ],
)
def test_what_is_no_class_or_has_no_such_option_is_refused_as_everywhere(text, message, own):
    with pytest.raises(SettingError, match=message):
        parse_method(text)


NO_METHOD = "{} is no method that can be used."
INHERIT = "Name a class that inherits this one."
NO_PART = "Leave it out, or write one of these."


@pytest.mark.parametrize(
    ("text", "what", "got", "expected", "remedy"),
    [
        (
            "user_methods:Base",
            NO_METHOD,
            "a base class without loss, scale",
            "a class that defines it",
            INHERIT,
        ),
        (
            "egonorm.methods:Method",
            NO_METHOD,
            "a base class without all that a method does",
            "a class that defines it",
            INHERIT,
        ),
        (
            "user_methods:Plain",
            NO_METHOD,
            "a class that is no dataclass",
            "a frozen dataclass, whose fields are its options",
            "Write @dataclass(frozen=True) above class Plain.",
        ),
        (
            "user_methods:Shadow",
            NO_METHOD,
            "an option called min_sources, label",
            "options with names of their own",
            "Write it without a type if it is what every method has (min_sources = 2), else rename it.",
        ),
        (
            "user_methods:VRex:rna.weight=2",
            "user_methods:VRex has no part rna.",
            "rna.weight=2",
            "weight",
            NO_PART,
        ),
        (
            "user_methods:VRexRna:v_rex.weight=3:rex.weight=2:rna.weight=1",
            "user_methods:VRexRna has no part rex.",
            "rex.weight=2",
            "v_rex, rna, v_rex.OPTION, rna.OPTION",
            NO_PART,
        ),
        ("source-only:rna.weight=2", "source-only has no part rna.", "rna.weight=2", "no options", NO_PART),
        (
            "user_methods:Outer:inner.rex.weight=2",
            "user_methods:Outer:inner has no part rex.",
            "rex.weight=2",
            "v_rex, rna, v_rex.OPTION, rna.OPTION",
            NO_PART,
        ),
        (
            "user_methods:Deeper:power=0",
            "The method {} cannot be made.",
            "ValueError: the power 0.0 is not above 0",
            "values that Deeper accepts",
            "Correct the options.",
        ),
        ("rna:0.5", "{} cannot be read.", "0.5", "option=value", "Write for example rna:weight=0.5."),
        ("rna:0.5:1", "{} cannot be read.", "0.5:1", "option=value", "Write for example rna:weight=0.5."),
    ],
)
def test_what_can_be_no_method_is_refused(text, what, got, expected, remedy, own):
    with refused(SettingError, what.format(text), got, expected, remedy):
        parse_method(text)


def test_an_option_of_a_part_of_a_part_is_read(own):
    made = parse_method("user_methods:Outer:inner.rna.weight=3:inner.v_rex.weight=2:weight=5")
    assert made == own.Outer(own.VRexRna(own.VRex(2.0), Rna(3.0)), 5.0)
    assert made.label() == "user_methods:Outer:inner.v_rex.weight=2:inner.rna.weight=3:weight=5"


def test_a_method_that_is_defined_in_a_function_is_found_by_the_path_that_it_is_named_by():
    @dataclass(frozen=True)
    class Local(Method):
        """A method that no module holds."""

    assert "<locals>" in Local.name() and find_method(Local.name()) is Local
