"""Settings: what they read, what they refuse, and when the target may be seen."""

import pytest

from egonorm.core import Setting, SettingError
from egonorm.core.types import multi_source, single_source, supervised, tta, uda


@pytest.mark.parametrize(
    "text", ["supervised:D1:D1", "dg1:D1:D2", "dgn:D1+D2:D3", "uda:D1:D2", "uda:D1+D2:D3", "tta:D1:D2"]
)
def test_a_setting_reads_what_it_writes(text):
    assert str(Setting.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dg1:D1", "2 parts between colons"),
        ("dg2:D1:D2", "one of supervised, dg1, dgn, uda, tta"),
        ("dg1:D1:D1", "the target D1 is also a source"),
        ("uda:D1+D2:D2", "the target D2 is also a source"),
        ("supervised:D1:D2", "one domain, in both places"),
        ("dg1:D1+D2:D3", "2 sources"),
        ("dgn:D1:D3", "1 source"),
        ("dgn:D1+D1:D3", "each source once"),
        ("dg1::D2", "at least one source and a target"),
    ],
)
def test_nonsense_is_refused(text, message):
    with pytest.raises(SettingError, match=message.replace("+", r"\+")) as caught:
        Setting.parse(text)
    assert "remedy:" in str(caught.value)


def test_an_unknown_domain_is_refused_by_name():
    with pytest.raises(SettingError, match=r"unknown domain D9(.|\n)*one of D1, D2, D3"):
        Setting.parse("dg1:D1:D9").check_domains(["D1", "D2", "D3"])


def test_when_the_target_may_be_seen():
    visible = {family: Setting.parse(f"{family}:D1:D2").target_visible for family in ("dg1", "uda", "tta")}
    assert visible == {"dg1": "never", "uda": "training", "tta": "test"}


def test_the_families_have_the_papers_shifts():
    kitchens = ("D1", "D2", "D3")
    counts = [len(family(kitchens)) for family in (supervised, single_source, multi_source, uda, tta)]
    assert counts == [3, 6, 3, 6, 6]
    assert str(multi_source(kitchens)[2]) == "dgn:D1+D2:D3"
