"""Every method in every setting with one, two and three modalities: three steps of finite terms, or a refusal that names both."""

from dataclasses import FrozenInstanceError, dataclass
from math import isfinite
from typing import ClassVar

import pytest
import torch
from torch import nn

from egonorm.core import Batch, Setting, SettingError
from egonorm.core.training import Optim
from egonorm.methods import Method, Rna, SourceOnly, check, methods
from egonorm.nets.net import Net
from egonorm.training.engine import Objective, train_steps
from egonorm.training.optimizer import make_optimizer
from egonorm.training.runtime import Runtime
from our_methods import our_methods
from refusals import refused

SETTINGS = ["supervised:D1:D1", "dg1:D1:D2", "dgn:D1+D2:D3", "uda:D1:D2", "tta:D1:D2"]
MODALITIES = [("rgb",), ("rgb", "audio"), ("rgb", "audio", "flow")]
IN_TRAINING = "unlabelled target clips in training"
NEED_TARGET = dict.fromkeys(("grl", "mm-sada", "mmd", "rna-grl"), IN_TRAINING) | {
    "ada-bn": "unlabelled target clips when training has ended (the family uda)"
}
NEED_TWO = {"align-only", "hna", "mm-sada", "orth-only", "rna", "rna-grl", "ss"}


class Encoder(nn.Linear):
    """A linear encoder."""

    memory_format, num_features = torch.contiguous_format, 5


def batch(domain: str, modalities: tuple[str, ...], labelled: bool) -> Batch:
    labels = torch.tensor([0, 1, 2, 0]) if labelled else None
    return Batch(domain, ("a", "b", "c", "d"), {m: torch.randn(4, 3) for m in modalities}, labels)


def reason(name: str, setting: Setting, modalities: tuple[str, ...]) -> tuple[str, str, str, str] | None:
    """Why a method cannot work there; None where it can."""
    what = f"The method {name} cannot work in the setting {setting}"
    if name in NEED_TARGET and setting.family != "uda":
        visible = "test" if setting.family == "tta" else "never"
        remedy = "Use a setting of another family, or a method that needs no target clips."
        return f"{what}.", f"target clips visible: {visible}", NEED_TARGET[name], remedy
    if name in NEED_TWO and len(modalities) == 1:
        remedy = "Add one with --modalities, or choose another method."
        return f"{what} with 1 modality.", "rgb", "2 modalities or more", remedy
    return None


@pytest.mark.parametrize("modalities", MODALITIES, ids=len)
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", sorted(our_methods()))
def test_the_matrix(name, setting, modalities):
    method, setting = methods()[name](), Setting.parse(setting)
    if told := reason(name, setting, modalities):
        with refused(SettingError, *told):
            check(method, setting, modalities)
        return
    check(method, setting, modalities)
    net = Net({m: Encoder(3, 5) for m in modalities}, 3)
    method.prepare(net)
    seen = [batch(domain, modalities, True) for domain in setting.sources]
    if setting.target_visible == "training" and "training" in method.target_use:
        seen.append(batch(setting.target, modalities, False))
    optim, heard = Optim(steps=3, batch=4), []
    steps = [seen] * optim.steps
    runtime = Runtime(torch.device("cpu"))
    train_steps(
        Objective(net, method),
        make_optimizer(optim, net),
        optim,
        steps,
        1,
        0,
        runtime,
        lambda *a: heard.append(a),
    )
    assert [step for step, _, _ in heard] == [1, 2, 3]
    assert all(isfinite(term) for _, terms, _ in heard for term in terms.values())


def test_names_are_the_classes_in_kebab_case():
    assert {"source-only": SourceOnly, "rna": Rna}.items() <= methods().items()


def test_methods_are_frozen_and_none_inherits_another():
    for method in our_methods().values():
        assert method.__bases__ == (Method,)
        with pytest.raises(FrozenInstanceError):
            method().weight = 3.0


@pytest.mark.parametrize(("setting", "visible"), [("tta:D1:D2", "test"), ("dg1:D1:D2", "never")])
def test_a_method_that_needs_the_target_is_refused_where_it_is_not_shown_then(setting, visible):
    @dataclass(frozen=True)
    class NeedsTarget(Method):
        """A method of a user's own program, which may work with what is shown at two moments."""

        target_use: ClassVar[frozenset[str]] = frozenset({"training", "after"})
        target_needed: ClassVar[bool] = True

    check(NeedsTarget(), Setting.parse("uda:D1:D2"), ["rgb"])
    with refused(
        SettingError,
        f"The method {NeedsTarget.name()} cannot work in the setting {setting}.",
        f"target clips visible: {visible}",
        "unlabelled target clips when training has ended (the family uda) or unlabelled target clips in training",
        "Use a setting of another family, or a method that needs no target clips.",
    ):
        check(NeedsTarget(), Setting.parse(setting), ["rgb"])


def test_a_method_of_three_streams_names_the_two_that_it_gets():
    @dataclass(frozen=True)
    class Three(Method):
        """A method of a user's own program."""

        min_modalities: ClassVar[int] = 3

    with refused(
        SettingError,
        f"The method {Three.name()} cannot work in the setting dg1:D1:D2 with 2 modalities.",
        "rgb, audio",
        "3 modalities or more",
        "Add one with --modalities, or choose another method.",
    ):
        check(Three(), Setting.parse("dg1:D1:D2"), ["rgb", "audio"])
