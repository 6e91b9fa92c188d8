"""What each method adds: its terms against the reference formula, its stages, and what it learns."""

from math import exp

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from egonorm.core import Batch, RunError, Seen, SettingError, View
from egonorm.methods import Rna
from egonorm.methods.ada_bn import AdaBn
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.batch_norm import BatchNorm
from egonorm.methods.grl import Grl
from egonorm.methods.hna import Hna
from egonorm.methods.mm_sada import MmSada
from egonorm.methods.mmd import Mmd
from egonorm.methods.orth_only import OrthOnly
from egonorm.methods.rna_grl import RnaGrl
from egonorm.methods.ss import Ss
from egonorm.nets.net import Net


class Encoder(nn.Sequential):
    """A linear encoder with batch norm."""

    memory_format, num_features = torch.contiguous_format, 5

    def __init__(self, num_features=5):
        super().__init__(nn.Linear(3, num_features), nn.BatchNorm1d(num_features))
        self.num_features = num_features


def make_net(method=None, sizes=(5, 5)):
    torch.manual_seed(0)
    net = Net({m: Encoder(size) for m, size in zip(("rgb", "audio"), sizes, strict=True)}, 4)
    if method is not None:
        method.prepare(net)
    return net.eval()


def view(net, domain="D1", labelled=True, seed=0, clips=8):
    generator = torch.Generator().manual_seed(seed)
    features = {m: torch.randn(clips, 5, generator=generator, requires_grad=True) for m in ("rgb", "audio")}
    labels = torch.arange(clips) % 4 if labelled else None
    return View(domain, features, net.classify(features), labels)


def test_ss_is_mm_sadas(request):
    method = Ss()
    net = make_net(method)
    source, target = view(net), view(net, "D2", labelled=False, seed=1)
    terms = method.terms(Seen((source, target), 0.5), net)
    logits, synch = [], []
    for v in (source, target):
        audio = torch.cat([v.features["audio"][:4], v.features["audio"][5:], v.features["audio"][4:5]])
        logits.append(net.extra["correspondence"](torch.cat([v.features["rgb"], audio], dim=1)))
        synch += [1] * 4 + [0] * 4
    torch.testing.assert_close(terms["correspondence"], 5.0 * cross_entropy(torch.cat(logits), torch.tensor(synch)))
    torch.testing.assert_close(terms["class"], cross_entropy(source.logits[:4], source.labels[:4]))
    assert set(Ss(class_on="all").terms(Seen((source,), 0.5), net)) == {"correspondence"}


def test_ss_alone_in_dg_looks_at_the_sources():
    method = Ss()
    net = make_net(method)
    sources = (view(net), view(net, "D2", seed=1))
    terms = method.terms(Seen(sources, 0.5), net)
    expected = sum(cross_entropy(v.logits[:4], v.labels[:4]) for v in sources)
    torch.testing.assert_close(terms["class"], expected)


@pytest.mark.parametrize(("progress", "strength"), [(0.2, 0.0), (0.5, 0.25), (1.0, 1.0)])
def test_grl_is_mm_sadas_second_stage(progress, strength):
    method = Grl()
    net = make_net(method)
    views = (view(net), view(net, "D2", labelled=False, seed=1))
    loss = method.terms(Seen(views, progress), net)["adversarial"]
    domains = torch.tensor([0] * 8 + [1] * 8)
    logits = {m: net.extra[f"domain_{m}"](torch.cat([v.features[m] for v in views])) for m in ("rgb", "audio")}
    plain = sum(cross_entropy(x, domains) for x in logits.values())
    torch.testing.assert_close(loss, (5.0 if strength else 0.0) * plain)
    inputs = [v.features[m] for v in views for m in ("rgb", "audio")]
    found, usual = torch.autograd.grad(loss, inputs), torch.autograd.grad(plain, inputs)
    coefficient = 0.2 * (2 / (1 + exp(-10 * strength)) - 1)
    for a, b in zip(found, usual, strict=True):
        torch.testing.assert_close(a, -5.0 * coefficient * b)


def test_mmd_waits_for_its_stage_and_sums_modalities_and_sources():
    method, net = Mmd(weight=2.0), make_net()
    one, two, target = view(net), view(net, "D2", seed=1), view(net, "D3", labelled=False, seed=2)
    assert method.terms(Seen((one, target), 0.3), net)["mmd"] == 0
    alone = [method.terms(Seen((v, target), 0.4), net)["mmd"] for v in (one, two)]
    torch.testing.assert_close(method.terms(Seen((one, two, target), 0.4), net)["mmd"], sum(alone))
    assert alone[0] > 0


def test_compositions_are_the_union_of_their_parts():
    for method, parts in ((MmSada(), (Ss(), Grl())), (RnaGrl(), (Rna(), Grl()))):
        net = make_net(method)
        seen = Seen((view(net), view(net, "D2", labelled=False, seed=1)), 0.5)
        expected = parts[0].terms(seen, net) | parts[1].terms(seen, net)
        found = method.terms(seen, net)
        assert found.keys() == expected.keys()
        for name in found:
            torch.testing.assert_close(found[name], expected[name])


def test_terms_are_summed_over_domains():
    net = make_net()
    one, two = view(net), view(net, "D2", seed=1)
    for method in (AlignOnly(), OrthOnly(), Hna(radius=2.0), Rna()):
        (name,) = method.terms(Seen((one,), 0.5), net)
        parts = [method.terms(Seen((v,), 0.5), net)[name] for v in (one, two)]
        torch.testing.assert_close(method.terms(Seen((one, two), 0.5), net)[name], sum(parts))


@pytest.mark.parametrize("method", [AlignOnly(), OrthOnly()])
def test_angles_need_features_of_one_size(method):
    with pytest.raises(
        SettingError, match=rf"{method.name()} compares directions(.|\n)*rgb: 5 numbers, audio: 6 numbers"
    ):
        make_net(method, sizes=(5, 6))


def test_batch_norm_normalises_each_feature():
    net = make_net(BatchNorm()).train()
    features = net.features({m: torch.randn(64, 3) * 9 + 4 for m in ("rgb", "audio")})
    for x in features.values():
        torch.testing.assert_close(x.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
        torch.testing.assert_close(x.var(0, unbiased=False), torch.ones(5), atol=1e-3, rtol=0)


def test_ada_bn_takes_the_targets_statistics():
    net = make_net()
    weights = {name: p.clone() for name, p in net.named_parameters()}
    batches = [
        Batch("D2", tuple(map(str, range(n))), {m: torch.randn(n, 3) + 5 for m in ("rgb", "audio")}, None)
        for n in (8, 8, 1)
    ]
    AdaBn().adapt(net, iter(batches))
    for m in ("rgb", "audio"):
        linear, norm = net.encoders[m]
        outputs = [linear(batch.inputs[m]) for batch in batches[:2]]
        torch.testing.assert_close(norm.running_mean, torch.stack([x.mean(0) for x in outputs]).mean(0))
        torch.testing.assert_close(norm.running_var, torch.stack([x.var(0) for x in outputs]).mean(0))
        assert norm.momentum == 0.1 and not norm.training
    assert all(torch.equal(p, weights[name]) for name, p in net.named_parameters())


def test_ada_bn_gives_a_batch_norm_to_encoders_without_one():
    torch.manual_seed(0)
    linear = Encoder()
    del linear[1]
    net = Net({"rgb": Encoder(), "audio": linear}, 4)
    AdaBn().prepare(net)
    assert isinstance(net.necks["rgb"], nn.Identity) and isinstance(net.necks["audio"], nn.BatchNorm1d)
    AdaBn().adapt(net, [Batch("D2", ("a", "b"), {m: torch.randn(2, 3) + 5 for m in ("rgb", "audio")}, None)])
    assert net.necks["audio"].num_batches_tracked == 1


def test_ada_bn_without_a_batch_to_measure_is_an_error():
    single = [Batch("D2", ("a",), {m: torch.randn(1, 3) for m in ("rgb", "audio")}, None)]
    with pytest.raises(RunError, match=r"no statistics of the target(.|\n)*--batch"):
        AdaBn().adapt(make_net(), single)


def test_ss_needs_three_clips_and_grl_a_beginning_before_the_end():
    net = make_net(Ss())
    with pytest.raises(RunError, match=r"Too few clips(.|\n)*a batch of 2(.|\n)*--batch"):
        Ss().terms(Seen((view(net), view(net, "D2", seed=1, clips=2)), 0.5), net)
    with pytest.raises(SettingError, match=r"method grl cannot begin(.|\n)*--begin 1"):
        make_net(Grl(begin=1.0))
