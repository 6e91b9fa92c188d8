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
from egonorm.training.loop import train
from egonorm.training.objective import Objective
from egonorm.training.optimizer import make_optimizer
from egonorm.training.runtime import Runtime
from our_methods import our_methods

SETTINGS = ["supervised:D1:D1", "dg1:D1:D2", "dgn:D1+D2:D3", "uda:D1:D2", "tta:D1:D2"]
MODALITIES = [("rgb",), ("rgb", "audio"), ("rgb", "audio", "flow")]


class Encoder(nn.Linear):
    """A linear encoder."""

    memory_format, num_features = torch.contiguous_format, 5


def batch(domain: str, modalities: tuple[str, ...], labelled: bool) -> Batch:
    labels = torch.tensor([0, 1, 2, 0]) if labelled else None
    return Batch(domain, ("a", "b", "c", "d"), {m: torch.randn(4, 3) for m in modalities}, labels)


@pytest.mark.parametrize("modalities", MODALITIES, ids=len)
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", sorted(our_methods()))
def test_the_matrix(name, setting, modalities):
    method, setting = methods()[name](), Setting.parse(setting)
    try:
        check(method, setting, modalities)
    except SettingError as refusal:
        assert name in str(refusal) and str(setting) in str(refusal)
        return
    net = Net({m: Encoder(3, 5) for m in modalities}, 3)
    method.prepare(net)
    seen = [batch(domain, modalities, True) for domain in setting.sources]
    if setting.target_visible == "training" and "training" in method.target_use:
        seen.append(batch(setting.target, modalities, False))
    optim, heard = Optim(steps=3, batch=4), []
    steps = [seen] * optim.steps
    runtime = Runtime(torch.device("cpu"))
    train(
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


def test_rna_needs_two_modalities():
    with pytest.raises(SettingError, match="method rna cannot work in the setting dg1:D1:D2 with 1 modality"):
        check(Rna(), Setting.parse("dg1:D1:D2"), ["rgb"])


def test_names_are_the_classes_in_kebab_case():
    assert {"source-only": SourceOnly, "rna": Rna}.items() <= methods().items()


def test_methods_are_frozen_and_none_inherits_another():
    for method in our_methods().values():
        assert method.__bases__ == (Method,)
        with pytest.raises(FrozenInstanceError):
            method().weight = 3.0


def test_a_method_that_needs_the_target_is_refused_where_it_is_not_shown_then():
    @dataclass(frozen=True)
    class NeedsTarget(Method):
        """A method of a user's own program."""

        target_use: ClassVar[frozenset[str]] = frozenset({"training"})
        target_needed: ClassVar[bool] = True

    check(NeedsTarget(), Setting.parse("uda:D1:D2"), ["rgb"])
    for setting in ("tta:D1:D2", "dg1:D1:D2"):
        with pytest.raises(
            SettingError, match=rf"method .*:.*NeedsTarget cannot work in the setting {setting}"
        ) as caught:
            check(NeedsTarget(), Setting.parse(setting), ["rgb"])
        assert "unlabelled target clips in training" in str(caught.value)
