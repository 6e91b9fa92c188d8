"""Every method against its published formula, written out here with its source: the value of every term and its gradients.

The paper is Planamente et al., arXiv 2106.01689; MM-SADA is Munro and Damen, CVPR 2020, and its code. Everything is computed
in float64, on clips of one or two sources and of the target, a different number of each. What a formula leaves alone must get
no gradient.
"""

from collections.abc import Mapping, Sequence
from math import exp

import pytest
import torch
from torch import Tensor, nn

from egonorm.core import Batch, Seen, Setting, SettingError, View
from egonorm.methods import Method, Rna, SourceOnly, check
from egonorm.methods.ada_bn import AdaBn
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.base import target_moments
from egonorm.methods.batch_norm import BatchNorm
from egonorm.methods.grl import Grl
from egonorm.methods.hna import Hna
from egonorm.methods.mm_sada import MmSada
from egonorm.methods.mmd import Mmd
from egonorm.methods.orth_only import OrthOnly
from egonorm.methods.rna_grl import RnaGrl
from egonorm.methods.ss import Ss
from egonorm.nets.net import Net

WIDTHS = {"rgb": 5, "audio": 4, "flow": 6}
CLASSES = 4
EXACT = {"rtol": 1e-9, "atol": 1e-12}

two_and_three_modalities = pytest.mark.parametrize("modalities", [("rgb", "audio"), ("rgb", "audio", "flow")], ids=len)
from_one_modality = pytest.mark.parametrize("modalities", [("rgb",), ("rgb", "audio"), tuple(WIDTHS)], ids=len)
sources_only = pytest.mark.parametrize("domains", ["S", "SS"])
with_target = pytest.mark.parametrize("domains", ["ST", "TS", "SST"])
with_or_without_target = pytest.mark.parametrize("domains", ["S", "SS", "ST", "SST"])
"""One letter a domain: S for a source, whose labels are seen, T for the target, whose labels are not."""


# ---- what is compared


class Encoder(nn.Linear):
    """A linear encoder of inputs of three numbers."""

    memory_format = torch.contiguous_format

    def __init__(self, num_features: int):
        super().__init__(3, num_features)
        self.num_features = num_features


def make_net(method: Method, modalities: Sequence[str], width: int | None = None) -> Net:
    """A network with what the method adds; what it adds has random weights, so that every bias counts."""
    torch.manual_seed(0)
    net = Net({m: Encoder(width or WIDTHS[m]) for m in modalities}, CLASSES, dropout=0.0)
    method.prepare(net)
    for parameter in (*net.extra.parameters(), *net.necks.parameters()):
        nn.init.normal_(parameter, std=0.3)
    return net.double()


def make_view(net: Net, domain: str, seed: int) -> View:
    """Random features and logits, which take gradients, of 5 or more clips."""
    generator, clips = torch.Generator().manual_seed(seed), 5 + seed

    def draw(width: int) -> Tensor:
        return (torch.randn(clips, width, generator=generator, dtype=torch.float64) * (1 + 0.4 * seed)).requires_grad_()

    features = {m: draw(width) for m, width in net.num_features.items()}
    labels = torch.randint(CLASSES, (clips,), generator=generator) if domain == "S" else None
    return View(f"D{seed}", features, draw(CLASSES), labels)


def make_seen(net: Net, domains: str, progress: float = 0.75) -> Seen:
    """A view for each letter."""
    return Seen(tuple(make_view(net, domain, seed) for seed, domain in enumerate(domains)), progress)


def leaves(seen: Seen, net: Net) -> dict[str, Tensor]:
    """All that a term may have a gradient for."""
    found = {f"features {k} {m}": x for k, view in enumerate(seen.views) for m, x in view.features.items()}
    found |= {f"logits {k} {'T' if view.labels is None else 'S'}": view.logits for k, view in enumerate(seen.views)}
    return found | dict(net.named_parameters())


def gradients(term: Tensor, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradient for every leaf, zeros where there is none."""
    found = torch.autograd.grad(
        term, list(inputs.values()), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return dict(zip(inputs, found, strict=True))


def assert_same(found: Tensor, expected: Tensor, inputs: Mapping[str, Tensor], live: tuple[str, ...]) -> None:
    """The same value and gradients: not 0 for the leaves whose names begin with one of `live`, and 0 for all others."""
    assert abs(expected) > 1e-3
    torch.testing.assert_close(found, expected, **EXACT)
    ours, theirs = gradients(found, inputs), gradients(expected, inputs)
    for name in inputs:
        torch.testing.assert_close(ours[name], theirs[name], **EXACT, msg=lambda text, name=name: f"{name}: {text}")
        assert bool(theirs[name].any()) == name.startswith(live), name


def assert_terms(method: Method, net: Net, seen: Seen, expected: Mapping[str, tuple[Tensor, tuple[str, ...]]]) -> None:
    """The method has these terms and no other: of each the value, and what has a gradient of it."""
    terms, inputs = method.terms(seen, net), leaves(seen, net)
    assert terms.keys() == expected.keys()
    for name, (value, live) in expected.items():
        assert_same(terms[name], value, inputs, live)


def assert_nothing(term: Tensor, inputs: Mapping[str, Tensor]) -> None:
    """A term that is 0 and moves nothing."""
    assert term == 0
    assert not any(gradient.any() for gradient in gradients(term, inputs).values())


# ---- the formulas


def lengths(features: Tensor) -> Tensor:
    """h(x), the L2 norm of each clip's feature: the paper, Section 3.1."""
    return (features * features).sum(dim=1).sqrt()


def mean_over_pairs(values: Sequence[Tensor], loss) -> Tensor:
    """The mean of `loss(first, second)` over (1, 2), (1, 3), (2, 3)."""
    pairs = [(first, second) for k, first in enumerate(values) for second in values[k + 1 :]]
    return sum(loss(first, second) for first, second in pairs) / len(pairs)


def relative_norms(features: Mapping[str, Tensor], numerator: str = "second", form: str = "ratio_of_means") -> Tensor:
    """The paper, Eq. 3 to 6, squared as in its authors' journal code, `models/task.py`: (mean|f_2| / mean|f_1| - 1)^2.

    With three modalities the mean over their pairs.
    """

    def loss(first: Tensor, second: Tensor) -> Tensor:
        above, below = (second, first) if numerator == "second" else (first, second)
        ratio = (above / below).mean() if form == "mean_of_ratios" else above.mean() / below.mean()
        return (ratio - 1) * (ratio - 1)

    return mean_over_pairs([lengths(x) for x in features.values()], loss)


def hard_norms(features: Mapping[str, Tensor], radius: float) -> Tensor:
    """Xu et al., ICCV 2019, the hard variant (HAFN): (mean|f| - R)^2, here of each modality; the paper, Table 3."""
    return sum((lengths(x).mean() - radius) * (lengths(x).mean() - radius) for x in features.values())


def cosines(first: Tensor, second: Tensor) -> Tensor:
    """The cosine of the angle between the two features of each clip."""
    return (first * second).sum(dim=1) / (lengths(first) * lengths(second))


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy: the mean over clips of -log softmax(logits) at the label."""
    losses = [-torch.log(row.exp()[label] / row.exp().sum()) for row, label in zip(logits, labels, strict=True)]
    return sum(losses) / len(losses)


def head(net: Net, name: str, x: Tensor) -> Tensor:
    """MM-SADA, `arch.py`: a linear layer to 100, ReLU, a linear layer to 2."""
    w = dict(net.extra[name].named_parameters())
    assert w["0.weight"].shape == (100, x.shape[1]) and w["2.weight"].shape == (2, 100)
    hidden = x @ w["0.weight"].T + w["0.bias"]
    return (hidden * (hidden > 0)) @ w["2.weight"].T + w["2.bias"]


def correspondence(net: Net, seen: Seen) -> Tensor:
    """MM-SADA, `batch_generator.py` and `model.py`: one mean over the clips of all domains of the loss of telling pairs apart.

    The first half of each domain's clips keeps its pair (label 1); in the other half the second modality is that of the next
    clip (label 0). Here a third modality is that of the clip after that.
    """
    rows, labels = [], []
    for view in seen.views:
        count = len(view.logits)
        kept = count // 2
        other = count - kept
        for clip in range(count):
            takes = [clip if clip < kept else kept + (clip - kept + k) % other for k in range(len(view.features))]
            rows.append(torch.cat([x[i] for x, i in zip(view.features.values(), takes, strict=True)]))
            labels.append(int(clip < kept))
    return class_loss(head(net, "correspondence", torch.stack(rows)), torch.tensor(labels))


def class_loss_of_pairs(seen: Seen) -> Tensor:
    """MM-SADA, `model.py`: the class loss of the sources' clips that keep their pair; summed over sources, as everywhere here."""
    kept = [(v.logits, v.labels, len(v.labels) // 2) for v in seen.views if v.labels is not None]
    return sum(class_loss(logits[:count], labels[:count]) for logits, labels, count in kept)


def adversarial(net: Net, seen: Seen, coefficient: float) -> Tensor:
    """MM-SADA, `submit_adversarial.sh`: a discriminator per modality, target (1) against sources (0), one mean over all clips.

    Ganin and Lempitsky, ICML 2015: what is before it gets its gradient times `-coefficient`, the discriminator itself does not.
    """
    labels = torch.tensor([int(view.labels is None) for view in seen.views for _ in view.logits])
    losses = []
    for modality in net.num_features:
        x = torch.cat([view.features[modality] for view in seen.views])
        turned = (1 + coefficient) * x.detach() - coefficient * x  # equal to x; its derivative is -coefficient
        losses.append(class_loss(head(net, f"domain_{modality}", turned), labels))
    return sum(losses)


def reversal(p: float, full: float = 0.2) -> float:
    """MM-SADA: 0.2 times Ganin and Lempitsky's schedule, p running from 0 to 1 in the second stage."""
    return full * (2 / (1 + exp(-10 * p)) - 1)


def discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Gretton et al., JMLR 2012, Eq. 5, biased, with the sum of MM-SADA's kernels (`model.py`, `mmd.py`).

    They are exp(-|x - y|^2 / g) for g = 9.7 * 2^e and e = -8, -8 + sqrt 2, ... below 8.
    """

    def mean(one: Tensor, other: Tensor) -> Tensor:
        squares = torch.stack([((a - b) * (a - b)).sum() for a in one for b in other])
        exponents = [-8 + k * 2**0.5 for k in range(20) if -8 + k * 2**0.5 < 8]
        return sum(torch.exp(-squares / (9.7 * 2**e)).sum() for e in exponents) / (len(one) * len(other))

    return mean(x, x) - 2 * mean(x, y) + mean(y, y)


# ---- the methods of one term, without a stage


@two_and_three_modalities
@with_or_without_target
@pytest.mark.parametrize(
    ("method", "weight", "options"),
    [
        (Rna(), 1.0, ("second", "ratio_of_means")),
        (Rna(weight=0.3), 0.3, ("second", "ratio_of_means")),
        (Rna(numerator="first"), 1.0, ("first", "ratio_of_means")),
        (Rna(form="mean_of_ratios"), 1.0, ("second", "mean_of_ratios")),
        (Rna(numerator="first", form="mean_of_ratios"), 1.0, ("first", "mean_of_ratios")),
    ],
)
def test_rna(method, weight, options, domains, modalities):
    """The paper, Eq. 4: the sum over domains, the target too, never mixed, with gradient through both norms.

    Weight 1, as in the authors' scripts.
    """
    net = make_net(method, modalities)
    seen = make_seen(net, domains)
    expected = weight * sum(relative_norms(view.features, *options) for view in seen.views)
    assert_terms(method, net, seen, {"rna": (expected, ("features",))})


@two_and_three_modalities
@with_or_without_target
@pytest.mark.parametrize(
    ("method", "weight", "radius"),
    [
        (Hna(), 0.05, 11.0),  # R half-way between the paper's norms, above all norms here
        (Hna(radius=0.5), 0.05, 0.5),  # below all norms here
        (Hna(weight=2.0, radius=3.0), 2.0, 3.0),
    ],
)
def test_hna(method, weight, radius, domains, modalities):
    """The paper, Table 3, with the formula and the weight 0.05 of Xu et al., ICCV 2019: every domain, the target's too."""
    net = make_net(method, modalities)
    seen = make_seen(net, domains)
    expected = weight * sum(hard_norms(view.features, radius) for view in seen.views)
    assert_terms(method, net, seen, {"hna": (expected, ("features",))})


@two_and_three_modalities
@sources_only
@pytest.mark.parametrize(("method", "weight"), [(AlignOnly(), 1.0), (AlignOnly(weight=0.3), 0.3)])
def test_align_only(method, weight, domains, modalities):
    """The paper, Table 1: `1 - cos(f_v, f_a)`, the mean over clips (and pairs), summed over the sources."""
    net = make_net(method, modalities, width=5)
    seen = make_seen(net, domains)
    loss = lambda first, second: (1 - cosines(first, second)).mean()  # noqa: E731
    expected = weight * sum(mean_over_pairs(list(view.features.values()), loss) for view in seen.views)
    assert_terms(method, net, seen, {"alignment": (expected, ("features",))})


@two_and_three_modalities
@sources_only
@pytest.mark.parametrize(("method", "weight"), [(OrthOnly(), 1.0), (OrthOnly(weight=0.3), 0.3)])
def test_orth_only(method, weight, domains, modalities):
    """The paper, Table 1: `cos(f_v, f_a)^2`, the mean over clips (and pairs), summed over the sources."""
    net = make_net(method, modalities, width=5)
    seen = make_seen(net, domains)
    loss = lambda first, second: (cosines(first, second) * cosines(first, second)).mean()  # noqa: E731
    expected = weight * sum(mean_over_pairs(list(view.features.values()), loss) for view in seen.views)
    assert_terms(method, net, seen, {"orthogonality": (expected, ("features",))})


@two_and_three_modalities
@with_or_without_target
@pytest.mark.parametrize("progress", [0.0, 1.0])
@pytest.mark.parametrize(
    ("method", "weight"), [(Ss(), 5.0), (Ss(weight=0.3), 0.3), (Ss(class_on="all"), 5.0)], ids=["5", "0.3", "all"]
)
def test_ss(method, weight, progress, domains, modalities):
    """MM-SADA's first stage: weight 5 against 1 for the class loss, that of the paired half, in place of the usual one.

    The target's clips are told apart as well, where they are seen; they have no class loss. It has no stages of its own.
    """
    net = make_net(method, modalities)
    seen = make_seen(net, domains, progress)
    expected = {"correspondence": (domains.count("S") * weight * correspondence(net, seen), ("features", "extra"))}
    if method.class_on == "paired":
        live = tuple(f"logits {k} S" for k, domain in enumerate(domains) if domain == "S")
        expected["class"] = (class_loss_of_pairs(seen), live)
    assert_terms(method, net, seen, expected)


# ---- the methods of a second stage


@from_one_modality
@with_target
@pytest.mark.parametrize("p", [0.25, 1.0])
@pytest.mark.parametrize(
    ("method", "weight", "full", "begin"),
    [
        (Grl(), 5.0, 0.2, 1 / 3),
        (Grl(discriminator=0.7), 0.7, 0.2, 1 / 3),
        (Grl(reversal=1.5), 5.0, 1.5, 1 / 3),
        (Grl(begin=0.0), 5.0, 0.2, 0.0),
    ],
)
def test_grl(method, weight, full, begin, p, domains, modalities):
    """The paper, Table 2; MM-SADA's second stage: the sum over modalities, weight 1 against 0.2 for the class loss, so 5."""
    net = make_net(method, modalities)
    seen = make_seen(net, domains, begin + p * (1 - begin))
    expected = domains.count("S") * weight * adversarial(net, seen, reversal(p, full))
    assert_terms(method, net, seen, {"adversarial": (expected, ("features", "extra"))})


@from_one_modality
@with_target
@pytest.mark.parametrize(
    ("method", "weight", "begin"),
    [(Mmd(), 1.0, 1 / 3), (Mmd(weight=0.3), 0.3, 1 / 3), (Mmd(begin=0.0), 1.0, 0.0)],
)
def test_mmd(method, weight, begin, domains, modalities):
    """The paper, Table 2; MM-SADA: weight 0.2 against 0.2 for the class loss, so 1 against 1, summed over modalities.

    Each source is compared with the target on its own.
    """
    net = make_net(method, modalities)
    seen = make_seen(net, domains, begin + 0.01)
    (target,) = (view for view in seen.views if view.labels is None)
    sources = [view for view in seen.views if view.labels is not None]
    expected = weight * sum(discrepancy(v.features[m], target.features[m]) for v in sources for m in modalities)
    assert_terms(method, net, seen, {"mmd": (expected, ("features",))})


SECOND_STAGES = [
    (Grl, "adversarial"),
    (Mmd, "mmd"),
    (lambda **options: MmSada(grl=Grl(**options)), "adversarial"),
    (lambda **options: RnaGrl(grl=Grl(**options)), "adversarial"),
]


@pytest.mark.parametrize(("make", "term"), SECOND_STAGES, ids=["grl", "mmd", "mm-sada", "rna-grl"])
@pytest.mark.parametrize(
    ("options", "last", "first"),
    [
        ({}, 3000 / 9000, 3001 / 9000),
        ({"begin": 0.5}, 4500 / 9000, 4501 / 9000),
        ({"begin": 0.0}, 0.0, 1 / 9000),
        ({"begin": 0.999}, 0.5, 1.0),
    ],
)
def test_the_second_stage_begins_after_a_third_of_the_steps(make, term, options, last, first):
    """MM-SADA's scripts: 3000 steps of the first stage, in which the term is 0 and nothing learns by it, then 6000."""
    method = make(**options)
    net = make_net(method, ("rgb", "audio"))
    for progress in (0.0, last / 2, last):
        seen = make_seen(net, "ST", progress)
        assert_nothing(method.terms(seen, net)[term], leaves(seen, net))
    seen = make_seen(net, "ST", first)
    begun, later = (method.terms(Seen(seen.views, progress), net)[term] for progress in (first, 1.0))
    assert begun > 0
    torch.testing.assert_close(begun, later, **EXACT)  # at once in full: what grows slowly is what is reversed


def test_the_reversed_gradient_grows_with_the_second_stage():
    """Ganin and Lempitsky, ICML 2015: 2 / (1 + exp(-10 p)) - 1, times MM-SADA's 0.2; the discriminators learn in full at once."""
    net = make_net(Grl(), ("rgb", "audio"))
    seen, shares = make_seen(net, "ST"), {}
    inputs = leaves(seen, net)
    for p in (1e-4, 0.1, 0.5, 1.0):
        found = gradients(Grl().terms(Seen(seen.views, 1 / 3 + p * 2 / 3), net)["adversarial"], inputs)
        plain = gradients(5.0 * adversarial(net, seen, -1.0), inputs)
        for name in inputs:
            factor = -reversal(p) if name.startswith("features") else 1.0
            torch.testing.assert_close(found[name], factor * plain[name], **EXACT)
        shares[p] = reversal(p)
    assert shares == pytest.approx({1e-4: 1e-4, 0.1: 0.0924234, 0.5: 0.1973229, 1.0: 0.1999818}, rel=1e-5)


# ---- the methods of two methods


@two_and_three_modalities
@with_target
@pytest.mark.parametrize(
    ("method", "weights", "full", "p"),
    [
        (MmSada(), (5.0, 5.0), 0.2, 0.1),
        (MmSada(ss=Ss(weight=0.3)), (0.3, 5.0), 0.2, 1.0),
        (MmSada(grl=Grl(discriminator=0.7, reversal=1.5)), (5.0, 0.7), 1.5, 0.1),
    ],
)
def test_mm_sada(method, weights, full, p, domains, modalities):
    """MM-SADA, `submit_mmsada.sh`: synchronisation and adversaries, in its second stage 1 and 1 against 0.2 for the class."""
    net = make_net(method, modalities)
    seen = make_seen(net, domains, 1 / 3 + p * 2 / 3)
    live = tuple(f"logits {k} S" for k, domain in enumerate(domains) if domain == "S")
    sources = domains.count("S")
    expected = {
        "correspondence": (sources * weights[0] * correspondence(net, seen), ("features", "extra.correspondence")),
        "class": (class_loss_of_pairs(seen), live),
        "adversarial": (sources * weights[1] * adversarial(net, seen, reversal(p, full)), ("features", "extra.domain")),
    }
    assert_terms(method, net, seen, expected)


@pytest.mark.parametrize(("rates", "factor"), [("run", 1.0), ("flags", 0.2), ("released", 2.0)])
@pytest.mark.parametrize("class_on", ["paired", "all"])
def test_readings_of_mm_sadas_rates(rates, factor, class_on):
    """At the run's 0.001 the class learns by 0.001, 0.0002 (the scripts' flags) or 0.002 (what ran), others by 5 times."""
    method = MmSada(ss=Ss(class_on=class_on), rates=rates)
    net = make_net(method, ("rgb", "audio"))
    for progress, expected in ((1 / 3, 1.0), (0.5, factor)):
        seen = make_seen(net, "ST", progress)
        terms, usual = method.terms(seen, net), MmSada(ss=Ss(class_on=class_on)).terms(seen, net)
        (source,) = (view for view in seen.views if view.labels is not None)
        usual.setdefault("class", torch.nn.functional.cross_entropy(source.logits, source.labels))
        for name, term in terms.items():
            torch.testing.assert_close(term, expected * usual[name], **EXACT)
        assert expected == 1.0 or terms.keys() == usual.keys()


def test_mm_sada_synchronises_from_the_first_step_and_by_its_options():
    """MM-SADA's first stage is synchronisation alone."""
    net = make_net(MmSada(), ("rgb", "audio"))
    seen = make_seen(net, "ST", 0.0)
    terms = MmSada().terms(seen, net)
    assert_same(
        terms["correspondence"], 5 * correspondence(net, seen), leaves(seen, net), ("features", "extra.correspondence")
    )
    assert_same(terms["class"], class_loss_of_pairs(seen), leaves(seen, net), ("logits 0",))
    assert terms["adversarial"] == 0
    assert MmSada(ss=Ss(class_on="all")).terms(seen, net).keys() == {"correspondence", "adversarial"}


@two_and_three_modalities
@with_target
@pytest.mark.parametrize(
    ("method", "weights", "numerator", "full", "p"),
    [
        (RnaGrl(), (1.0, 5.0), "second", 0.2, 0.1),
        (RnaGrl(rna=Rna(weight=0.3, numerator="first")), (0.3, 5.0), "first", 0.2, 1.0),
        (RnaGrl(grl=Grl(discriminator=0.7, reversal=1.5)), (1.0, 0.7), "second", 1.5, 0.1),
    ],
)
def test_rna_grl(method, weights, numerator, full, p, domains, modalities):
    """The paper, Table 2, last row: the relative norms of source and target, and the discriminators of `Grl`."""
    net = make_net(method, modalities)
    seen = make_seen(net, domains, 1 / 3 + p * 2 / 3)
    expected = {
        "rna": (weights[0] * sum(relative_norms(view.features, numerator) for view in seen.views), ("features",)),
        "adversarial": (
            domains.count("S") * weights[1] * adversarial(net, seen, reversal(p, full)),
            ("features", "extra"),
        ),
    }
    assert_terms(method, net, seen, expected)


def test_rna_grl_aligns_norms_from_the_first_step():
    net = make_net(RnaGrl(), ("rgb", "audio"))
    seen = make_seen(net, "ST", 0.0)
    expected = sum(relative_norms(view.features) for view in seen.views)
    assert_same(RnaGrl().terms(seen, net)["rna"], expected, leaves(seen, net), ("features",))


# ---- the methods without a term


@from_one_modality
@pytest.mark.parametrize("method", [SourceOnly(), BatchNorm(), AdaBn()], ids=lambda method: method.name())
def test_methods_of_the_class_loss_alone_have_no_term(method, modalities):
    net = make_net(method, modalities)
    assert method.terms(make_seen(net, "SS"), net) == {}
    assert not net.extra


@from_one_modality
def test_source_only(modalities):
    """The paper, Section 5.1: cross-entropy on the sum of the modalities' own linear classifiers of features as they are."""
    net = make_net(SourceOnly(), modalities)
    view = make_view(net, "S", 1)
    inputs = {m: torch.randn(4, 3, dtype=torch.float64) for m in modalities}
    for m, features in net.features(inputs).items():
        torch.testing.assert_close(features, inputs[m] @ net.encoders[m].weight.T + net.encoders[m].bias, **EXACT)
    layers = [(view.features[m], net.fusion.classifiers[m]) for m in modalities]
    expected = class_loss(sum(x @ layer.weight.T + layer.bias for x, layer in layers), view.labels)
    found = nn.functional.cross_entropy(net.classify(view.features), view.labels)
    assert_same(found, expected, leaves(Seen((view,), 0.5), net), ("features", "fusion"))


@from_one_modality
def test_batch_norm(modalities):
    """The paper, Table 1, a layer on each feature before its classifier: Ioffe and Szegedy, ICML 2015, Algorithm 1.

    Each domain's batch is normalised by itself. Running averages keep 0.9 of themselves for each batch, and count the unbiased
    variance (torch's defaults).
    """
    method = BatchNorm()
    fresh = Net({m: Encoder(WIDTHS[m]) for m in modalities}, CLASSES)
    method.prepare(fresh)
    for m in modalities:
        assert fresh.necks[m].weight.tolist() == [1] * WIDTHS[m] and fresh.necks[m].bias.tolist() == [0] * WIDTHS[m]

    net = make_net(method, modalities)
    means = {m: torch.zeros(WIDTHS[m], dtype=torch.float64) for m in modalities}
    variances = {m: torch.ones(WIDTHS[m], dtype=torch.float64) for m in modalities}
    for seed, clips in enumerate((8, 6)):
        generator = torch.Generator().manual_seed(seed)
        inputs = {m: torch.randn(clips, 3, generator=generator, dtype=torch.float64) * 9 + 4 for m in modalities}
        found, leaf = net.features(inputs), dict(net.named_parameters())
        for m in modalities:
            x = inputs[m] @ net.encoders[m].weight.T + net.encoders[m].bias
            mean = x.sum(dim=0) / clips
            squares = ((x - mean) * (x - mean)).sum(dim=0)
            expected = net.necks[m].weight * (x - mean) / (squares / clips + 1e-5).sqrt() + net.necks[m].bias
            torch.testing.assert_close(found[m], expected, **EXACT)
            weights = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
            ours, theirs = (gradients((y * weights).sum(), leaf) for y in (found[m], expected))
            assert theirs[f"necks.{m}.weight"].any() and theirs[f"necks.{m}.bias"].any()
            for name in leaf:
                torch.testing.assert_close(ours[name], theirs[name], rtol=1e-7, atol=1e-9)
            means[m] = 0.9 * means[m] + 0.1 * mean.detach()
            variances[m] = 0.9 * variances[m] + 0.1 * squares.detach() / (clips - 1)
    inputs = {m: torch.randn(3, 3, dtype=torch.float64) for m in modalities}
    judged = net.eval().features(inputs)
    for m in modalities:
        x = inputs[m] @ net.encoders[m].weight.T + net.encoders[m].bias
        expected = net.necks[m].weight * (x - means[m]) / (variances[m] + 1e-5).sqrt() + net.necks[m].bias
        torch.testing.assert_close(judged[m], expected, **EXACT)


class DeepEncoder(nn.Sequential):
    """An encoder of two batch norms, between them a dropout, which must be off when statistics are measured."""

    memory_format, num_features = torch.contiguous_format, 4

    def __init__(self):
        first = nn.Linear(3, 6), nn.BatchNorm1d(6, momentum=0.3), nn.Dropout(0.5)
        super().__init__(*first, nn.Linear(6, 4), nn.BatchNorm1d(4, eps=0.01))


def test_ada_bn():
    """Li et al., 2016 (arXiv 1603.04779), Algorithm 1: each layer's mean and variance are those of the target.

    Each layer sees what those before it make of the target by its own statistics. Here they are those of all clips together,
    whatever the batches' sizes. Nothing of the sources' statistics stays, and nothing else changes.
    """
    torch.manual_seed(0)
    net = Net({"rgb": DeepEncoder(), "audio": Encoder(5)}, CLASSES)
    AdaBn().prepare(net)
    net.double()
    for _ in range(3):
        net.train().features({m: torch.randn(6, 3, dtype=torch.float64) for m in ("rgb", "audio")})
    layers = {"first": net.encoders["rgb"][1], "second": net.encoders["rgb"][4], "neck": net.necks["audio"]}
    for layer in layers.values():
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    weights = {name: parameter.clone() for name, parameter in net.named_parameters()}

    batches = [
        Batch("D2", tuple(map(str, range(n))), {m: torch.randn(n, 3).double() * n + 5 for m in ("rgb", "audio")}, None)
        for n in (8, 3, 1, 2)
    ]
    shown = {name: [] for name in layers}

    def normalise(name: str, x: Tensor) -> Tensor:
        mean = x.sum(dim=0) / len(x)
        squares = ((x - mean) * (x - mean)).sum(dim=0)
        shown[name].append(x)
        layer = layers[name]
        return layer.weight * (x - mean) / (squares / len(x) + layer.eps).sqrt() + layer.bias

    for batch in (batches[0], batches[1], batches[3]):  # one clip has no variance
        first, last, audio = net.encoders["rgb"][0], net.encoders["rgb"][3], net.encoders["audio"]
        x = normalise("first", batch.inputs["rgb"] @ first.weight.T + first.bias)
        normalise("second", x @ last.weight.T + last.bias)
        normalise("neck", batch.inputs["audio"] @ audio.weight.T + audio.bias)
    AdaBn().adapt(net, iter(batches))

    for name, layer in layers.items():
        together = torch.cat(shown[name])
        mean = together.sum(dim=0) / 13
        torch.testing.assert_close(layer.running_mean, mean, **EXACT)
        torch.testing.assert_close(layer.running_var, ((together - mean) ** 2).sum(dim=0) / 12, **EXACT)
    assert [layer.momentum for layer in layers.values()] == [0.3, 0.1, 0.1]
    assert not any(module.training for module in net.modules())
    assert all(torch.equal(parameter, weights[name]) for name, parameter in net.named_parameters())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())


class PlacesEncoder(nn.Sequential):
    """Normalises channels over places and moments, and averages these."""

    num_features = 3

    def __init__(self):
        super().__init__(nn.BatchNorm3d(3), nn.AdaptiveAvgPool3d(1), nn.Flatten())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_ada_bn_over_places(dtype):
    """The statistics of a channel are over all clips, places and moments; of narrow numbers they are not rounded as these are."""
    torch.manual_seed(0)
    net = Net({"rgb": PlacesEncoder()}, CLASSES).to(torch.float64 if dtype == torch.float64 else torch.float32)
    shown = [torch.randn(n, 3, 2, 4, 5).mul(n).add(3).to(dtype) for n in (4, 2)]
    AdaBn().adapt(net, [Batch("D2", tuple(map(str, range(len(x)))), {"rgb": x}, None) for x in shown])
    together, layer = torch.cat(shown).double().transpose(0, 1).reshape(3, -1), net.encoders["rgb"][0]
    torch.testing.assert_close(layer.running_mean.double(), together.mean(dim=1), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(layer.running_var.double(), together.var(dim=1), rtol=1e-6, atol=1e-6)
    assert layer.num_batches_tracked == 2


def test_ada_bn_leaves_layers_alone_that_features_do_not_pass_or_that_keep_nothing():
    torch.manual_seed(0)
    net = Net({"rgb": PlacesEncoder()}, CLASSES)
    net.encoders["rgb"].insert(0, nn.BatchNorm3d(3, track_running_stats=False))
    net.head = nn.BatchNorm1d(2)
    batch = Batch("D2", ("a", "b", "c", "d"), {"rgb": torch.randn(4, 3, 2, 4, 5) + 2}, None)
    AdaBn().adapt(net, [batch])
    torch.testing.assert_close(net.encoders["rgb"][1].running_mean, torch.zeros(3), rtol=0, atol=1e-6)
    assert torch.equal(net.head.running_mean, torch.zeros(2)) and net.head.num_batches_tracked == 0


# ---- which clips a method is shown

NEVER, TRAINING, AFTER = frozenset(), frozenset({"training"}), frozenset({"after"})


@pytest.mark.parametrize(
    ("method", "moments", "needed", "modalities"),
    [
        (SourceOnly(), NEVER, False, 1),
        (AlignOnly(), NEVER, False, 2),
        (OrthOnly(), NEVER, False, 2),
        (BatchNorm(), NEVER, False, 1),
        (Rna(), TRAINING, False, 2),
        (Hna(), TRAINING, False, 2),
        (Ss(), TRAINING, False, 2),
        (Grl(), TRAINING, True, 1),
        (Mmd(), TRAINING, True, 1),
        (MmSada(), TRAINING, True, 2),
        (RnaGrl(), TRAINING, True, 2),
        (AdaBn(), AFTER, True, 1),
    ],
    ids=lambda value: value.name() if isinstance(value, Method) else "",
)
def test_which_methods_see_the_target(method, moments, needed, modalities):
    """The paper: Table 1 compares methods that see sources alone, Table 2 those that see the target's clips (and RNA, Eq. 4)."""
    enough, uda, dg = tuple(WIDTHS)[:modalities], Setting.parse("uda:D1:D2"), Setting.parse("dg1:D1:D2")
    assert target_moments(method, uda) == moments
    assert target_moments(method, dg) == target_moments(method, Setting.parse("tta:D1:D2")) == NEVER
    check(method, uda, enough)
    if needed:
        with pytest.raises(SettingError, match=rf"{method.name()} cannot work in the setting dg1:D1:D2\."):
            check(method, dg, enough)
    else:
        check(method, dg, enough)
    if modalities == 2:
        with pytest.raises(
            SettingError, match=rf"{method.name()} cannot work .* with 1 modality(.|\n)*2 modalities or more"
        ):
            check(method, uda, ["rgb"])
