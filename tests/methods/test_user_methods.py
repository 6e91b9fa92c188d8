"""A user's methods: V-REx, ones that change gradients, compositions; their formulas, their limits, how training calls them."""

from dataclasses import dataclass, field
from math import tanh
from typing import ClassVar

import pytest
import torch
import user_methods as own
from test_terms import make_net, view
from torch import nn
from torch.nn.functional import cross_entropy

from egonorm.core import Batch, RunError, Seen, Setting, SettingError
from egonorm.core.training import Optim
from egonorm.methods import Method, Rna, check
from egonorm.methods.mm_sada import MmSada
from egonorm.nets.net import Net
from egonorm.training.engine import Objective, train_steps
from egonorm.training.optimizer import make_optimizer
from egonorm.training.runtime import Runtime
from refusals import refused

TWO = Setting.parse("dgn:D1+D2:D3")
STREAMS = ("rgb", "audio")


class Deep(nn.Sequential):
    """An encoder with batch norm, dropout and enough weights to tell gradients apart."""

    memory_format, num_features = torch.contiguous_format, 5

    def __init__(self):
        super().__init__(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.3), nn.Linear(6, 5))


def batches(clips=8, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(clips) % 3
    drawn = lambda k: torch.randn(clips, 4, generator=generator, dtype=dtype) + labels[:, None] * k  # noqa: E731
    inputs = [{"rgb": drawn(2.0), "audio": drawn(0.1)} for _ in range(2)]
    return [Batch(f"D{k + 1}", tuple(map(str, range(clips))), x, labels) for k, x in enumerate(inputs)]


def small_net(dtype=torch.float32):
    torch.manual_seed(0)
    return Net({name: Deep() for name in STREAMS}, 3).to(dtype)


def gradients(method, precision="float32", pieces=1, net=None):
    """The terms of a step, what is seen, and every parameter's gradient."""
    net = net or small_net()
    objective = Objective(net, method, pieces)
    torch.manual_seed(2)
    with Runtime(torch.device("cpu"), precision).autocast():
        terms, seen = objective(batches(dtype=next(net.parameters()).dtype), 0.5)
    objective.backward(terms, seen)
    return terms, seen, {name: x.grad.clone() for name, x in net.named_parameters()}


def test_v_rex_is_the_variance_of_the_risks():
    """Krueger et al., ICML 2021, Eq. 8: beta Var({R_1, ..., R_m}) beside the sum of the risks."""
    net = make_net()
    views = (view(net), view(net, "D2", seed=1), view(net, "D4", seed=2), view(net, "D3", labelled=False, seed=3))
    risks = [cross_entropy(v.logits, v.labels) for v in views[:3]]
    mean = sum(risks) / 3
    found = own.VRex(weight=2.5).terms(Seen(views, 0.5), net)
    torch.testing.assert_close(found["v-rex"], 2.5 * sum((r - mean) ** 2 for r in risks) / 3)


def test_ogm_scales_the_gradients_of_the_encoder_that_is_ahead():
    """Peng et al., CVPR 2022, Eq. 9 and 10, for two modalities: k = 1 - tanh(alpha rho) where rho > 1, else 1."""
    _, seen, found = gradients(own.Ogm(alpha=0.3))
    net = small_net()
    _, _, usual = gradients(own.VRex(weight=0.0), net=net)
    torch.manual_seed(5)
    net.eval()
    with torch.no_grad():
        score = {
            m: sum(
                float(logits.softmax(1)[torch.arange(8), v.labels].sum())
                for v in seen.views
                for logits in [net.classify_each(v.features)[m]]
            )
            for m in STREAMS
        }
    net.train()
    factors = own.Ogm(alpha=0.3).factors(seen, net.eval())
    ahead = max(STREAMS, key=score.get)
    behind = next(m for m in STREAMS if m != ahead)
    assert factors[ahead] == pytest.approx(1 - tanh(0.3 * score[ahead] / score[behind])) and factors[behind] == 1.0
    for name, x in found.items():
        ratio = (x * usual[name]).sum() / (usual[name] ** 2).sum().clamp(min=1e-20)
        scaled = name.startswith(f"encoders.{ahead}")
        torch.testing.assert_close(x, ratio * usual[name], rtol=1e-4, atol=1e-7)
        assert (0 < ratio < 0.9) if scaled else x.equal(usual[name])


def test_what_is_logged_is_the_sum_that_the_default_descends_and_does_not_change_with_the_gradients():
    heard = []
    for method in (own.Ogm(), own.VRex(weight=0.0)):
        net, optim = small_net(), Optim(steps=1, batch=8)
        train_steps(
            Objective(net, method),
            make_optimizer(optim, net),
            optim,
            [batches()],
            1,
            0,
            Runtime(torch.device("cpu")),
            lambda step, terms, seen: heard.append(terms),
        )
    assert heard[0]["class"] == heard[1]["class"] and set(heard[0]) == {"class"} and set(heard[1]) == {"class", "v-rex"}


def test_the_default_descends_the_sum_of_all_terms():
    found = gradients(own.VRex(weight=20.0))[2]
    net = small_net()
    torch.manual_seed(2)
    terms, _ = Objective(net, own.VRex(weight=20.0))(batches(), 0.5)
    parameters = dict(net.named_parameters())
    wanted = torch.autograd.grad(terms["class"] + terms["v-rex"], list(parameters.values()))
    for (name, x), y in zip(found.items(), wanted, strict=True):
        torch.testing.assert_close(x, y, msg=name)


@pytest.mark.parametrize("method", [own.Ogm(), own.Projected()])
def test_changed_gradients_are_those_of_the_whole_batch_when_it_passes_in_pieces(method):
    found = []
    for pieces in (1, 2, 4):
        net = small_net(torch.float64)
        net.encoders.eval()  # batch norm and dropout at rest: then pieces change nothing
        net.fusion.eval()
        found.append(gradients(method, pieces=pieces, net=net)[2])
    for other in found[1:]:
        for name, x in found[0].items():
            torch.testing.assert_close(other[name], x, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("method", [own.Ogm(), own.Projected()])
def test_changed_gradients_in_bfloat16_are_float32_and_near(method):
    found, usual = (gradients(method, precision)[2] for precision in ("bfloat16", "float32"))
    assert all(x.dtype == torch.float32 for x in found.values())
    total = sum(float((found[name] - x).square().sum()) for name, x in usual.items())
    assert 0 < total < 0.01 * sum(float(x.square().sum()) for x in usual.values())


def test_a_backward_that_gives_no_gradient_is_refused():
    with pytest.raises(RunError, match=r"user_methods:Lazy trains nothing(.|\n)*no gradient(.|\n)*super\(\).backward"):
        gradients(own.Lazy())


def test_one_source_is_too_few_for_v_rex_alone_and_in_a_composition():
    check(own.VRex(), TWO, STREAMS)
    remedy = "Use a setting with more of them, such as dgn:D1+D2:D3, or choose another method."
    what = "The method user_methods:VRex cannot work in the setting dg1:D1:D2 with 1 source."
    with refused(SettingError, what, "D1", "2 sources or more", remedy):
        check(own.VRex(), Setting.parse("dg1:D1:D2"), STREAMS)

    @dataclass(frozen=True)
    class Pairs(Method):
        """Of three domains."""

        min_sources: ClassVar[int] = 3

    what = f"The method {Pairs.name()} cannot work in the setting {TWO} with 2 sources."
    with refused(SettingError, what, "D1+D2", "3 sources or more", remedy):
        check(Pairs(), TWO, STREAMS)

    @dataclass(frozen=True)
    class Forgetful(Method):
        """A composition that does not say what its part needs."""

        part: own.VRex = field(default_factory=own.VRex)

    what = f"The method user_methods:VRex in {Forgetful.name()} cannot work in the setting dg1:D1:D2 with 1 source."
    with refused(SettingError, what, "D1", "2 sources or more", remedy):
        check(Forgetful(), Setting.parse("dg1:D1:D2"), STREAMS)
    with pytest.raises(SettingError, match=r"mm-sada cannot work in the setting dgn:D1\+D2:D3"):
        check(MmSada(), TWO, STREAMS)


def test_a_composition_without_the_backward_of_its_part_is_refused():
    @dataclass(frozen=True)
    class Both(Method):
        """With two such parts."""

        ogm: own.Ogm = field(default_factory=own.Ogm)
        projected: own.Projected = field(default_factory=own.Projected)

    for method, parts in ((own.Careless(), "ogm"), (Both(), "ogm, projected")):
        with refused(
            SettingError,
            f"The method {method.name()} leaves out the backward pass of its parts.",
            f"a backward of its own in {parts}, none in {method.name()}",
            f"{type(method).__name__}.backward, which calls theirs",
            "Define backward(self, terms, seen, net), and call self.ogm.backward in it.",
        ):
            check(method, TWO, STREAMS)


def test_a_use_of_the_target_that_there_is_not_is_refused():
    @dataclass(frozen=True)
    class Misspelt(Method):
        """A word in the place of a set."""

        target_use = "training"

    with refused(
        SettingError,
        f"The method {Misspelt.name()} cannot work in the setting {TWO}.",
        "target_use = 'training'",
        "a set of some of 'training', 'after', 'test'",
        "Write for example target_use = {'training'}.",
    ):
        check(Misspelt(), TWO, STREAMS)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_refused_in_a_method_and_in_its_parts_unless_it_is_the_default(weight):
    @dataclass(frozen=True)
    class Unbounded(Method):
        """Without a bound by default."""

        most: float = float("inf")

    for method in (Rna(weight), own.VRexRna(rna=Rna(weight))):
        with refused(
            SettingError,
            "The method rna cannot use this weight.",
            f"{weight:g}",
            "a finite number",
            "Correct weight.",
        ):
            check(method, TWO, STREAMS)
    check(Unbounded(), TWO, STREAMS)


def test_all_moments_together_are_a_use_of_the_target():
    @dataclass(frozen=True)
    class Everywhere(Method):
        """Whatever is shown is of use."""

        target_use: ClassVar[frozenset[str]] = frozenset({"training", "after", "test"})

    check(Everywhere(), Setting.parse("uda:D1:D2"), STREAMS)


def test_a_method_that_adapts_at_test_yields():
    @dataclass(frozen=True)
    class Silent(Method):
        """An adapt as it is written for "after"."""

        target_use: ClassVar[frozenset[str]] = frozenset({"after", "test"})

        def adapt(self, net, target):
            for _ in target:
                pass

    @dataclass(frozen=True)
    class Yielding(Silent):
        """An adapt as it is written for "test"."""

        def adapt(self, net, target):
            for _ in target:
                yield

    check(Silent(), Setting.parse("uda:D1:D2"), STREAMS)
    check(Yielding(), Setting.parse("tta:D1:D2"), STREAMS)
    with refused(
        SettingError,
        f"The method {Silent.name()} cannot work in the setting tta:D1:D2.",
        "an adapt that does not yield",
        "one that yields when the net is ready for the batch that it took last",
        "Write yield at the end of its loop over the batches of the target.",
    ):
        check(Silent(), Setting.parse("tta:D1:D2"), STREAMS)


@pytest.mark.parametrize("setting", ["dgn:D1+D2:D3", "supervised:D1:D1", "tta:D1:D2"])
@pytest.mark.parametrize("method", [own.VRex(), own.Ogm(), own.Projected(), own.VRexRna(), own.Deeper()])
def test_a_users_methods_train_where_they_can(method, setting):
    setting = Setting.parse(setting)
    if len(setting.sources) < method.min_sources:
        with pytest.raises(SettingError, match=r"with 1 source\."):
            check(method, setting, STREAMS)
        return
    check(method, setting, STREAMS)
    net, optim, heard = small_net(), Optim(steps=3, batch=8, lr=0.1), []
    before = [x.clone() for x in net.parameters()]
    seen = batches()[: len(setting.sources)]
    train_steps(
        Objective(net, method),
        make_optimizer(optim, net),
        optim,
        [seen] * 3,
        1,
        0,
        Runtime(torch.device("cpu")),
        lambda step, terms, seen: heard.append(sum(terms.values())),
    )
    assert len(heard) == 3 and all(abs(total) < 100 for total in heard)
    assert all(not torch.equal(x, y) for x, y in zip(before, net.parameters(), strict=True) if x.dim() > 1)
    assert isinstance(net.necks["rgb"], nn.Identity)
