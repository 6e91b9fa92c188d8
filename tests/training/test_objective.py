"""The objective and the loop: views per domain, terms summed once, schedules, and the stop at a term that is not finite."""

import pytest
import torch
from torch import nn

from egonorm.core import Batch, NotFiniteError, RunError
from egonorm.core.training import Optim, seed_for
from egonorm.losses import relative_norm_alignment
from egonorm.methods import Rna, SourceOnly
from egonorm.nets.net import Net
from egonorm.training.engine import Objective, check_finite, of_domains, step_stats, train_steps
from egonorm.training.optimizer import make_optimizer
from egonorm.training.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


class Small(nn.Module):
    """A linear encoder with batch norm."""

    memory_format = torch.contiguous_format

    def __init__(self, num_features=6):
        super().__init__()
        self.num_features = num_features
        self.linear, self.bn = nn.Linear(4, num_features), nn.BatchNorm1d(num_features)

    def forward(self, x):
        return self.bn(self.linear(x)).relu()


def make_net(modalities=("rgb", "audio"), dropout=0.5, fusion="sum"):
    torch.manual_seed(0)
    return Net({m: Small() for m in modalities}, 3, fusion, dropout)


def make_batch(domain="D1", labelled=True, modalities=("rgb", "audio"), clips=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = {m: torch.randn(clips, 4, generator=generator) * (k + 1) for k, m in enumerate(modalities)}
    labels = torch.randint(0, 3, (clips,), generator=generator) if labelled else None
    return Batch(domain, tuple(map(str, range(clips))), inputs, labels)


def test_each_domain_passes_on_its_own_and_running_averages_see_each_in_turn():
    batches = [make_batch("D1", seed=1), make_batch("D2", seed=2)]
    together, alone = make_net(), make_net()
    Objective(together, SourceOnly())(batches, 0.0)
    for batch in batches:
        Objective(alone, SourceOnly())([batch], 0.0)
    for (name, a), b in zip(together.named_buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_class_terms_of_labelled_domains_add_up():
    net = make_net(dropout=0.0)
    batches = [make_batch("D1", seed=1), make_batch("D2", seed=2)]
    objective = Objective(net, SourceOnly())
    both = objective(batches, 0.0)[0]["class"]
    each = [objective([batch], 0.0)[0]["class"] for batch in batches]
    torch.testing.assert_close(both, sum(each))
    unlabelled = make_batch("D2", labelled=False, seed=2)
    torch.testing.assert_close(objective([batches[0], unlabelled], 0.0)[0]["class"], each[0])


def test_rna_adds_one_term_per_domain_before_dropout():
    net = make_net()
    batches = [make_batch("D1", seed=1), make_batch("D2", labelled=False, seed=2)]
    terms, seen = Objective(net, Rna(weight=0.5))(batches, 0.0)
    expected = 0.5 * sum(relative_norm_alignment(net.features(batch.inputs)) for batch in batches)
    torch.testing.assert_close(terms["rna"], expected)
    assert set(of_domains(tuple(map(step_stats, seen.views)))["norms"]) == {"D1/rgb", "D1/audio", "D2/rgb", "D2/audio"}


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["sum", "concat"])
@pytest.mark.parametrize("method", [SourceOnly(), Rna(), Rna(form="mean_of_ratios", numerator="first")])
@pytest.mark.parametrize("modalities", [("rgb", "audio"), ("audio", "rgb"), ("rgb", "audio", "flow")])
def test_training_descends_and_a_seed_is_a_training(fusion, method, modalities):
    def run():
        net = make_net(modalities, fusion=fusion)
        optim = Optim(steps=30, batch=8, lr=0.05)
        history = []
        objective = Objective(net, method)
        batches = [[make_batch(modalities=modalities)]] * optim.steps
        train_steps(
            objective,
            make_optimizer(optim, net),
            optim,
            batches,
            1,
            7,
            CPU,
            lambda step, terms, record: history.append(sum(terms.values())),
        )
        return net, history

    (first, history), (second, _) = run(), run()
    assert sum(history[-5:]) < sum(history[:5])
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_sum_fusion_adds_the_single_logits_and_concat_is_judged_alone():
    for fusion in ("sum", "concat"):
        net = make_net(fusion=fusion).eval()
        features = net.features(make_batch().inputs)
        single, fused = net.classify_each(features), net.classify(features)
        assert set(single) == {"rgb", "audio"}
        if fusion == "sum":
            torch.testing.assert_close(fused, single["rgb"] + single["audio"])
        else:
            torch.testing.assert_close(single["rgb"], net.classify(features | {"audio": torch.zeros(8, 6)}))


def test_the_learning_rate_falls_after_its_share_of_the_steps():
    optim = Optim(steps=9000, lr=0.01, milestones=(1 / 3,))
    assert [optim.lr_at(step) for step in (1, 3000, 3001, 9000)] == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_a_term_that_is_not_finite_stops_the_run_and_is_named():
    with pytest.raises(NotFiniteError, match=r"Step 12: the term rna is not finite(.|\n)*class = 1, rna = nan"):
        check_finite({"class": 1.0, "rna": float("nan")}, 12)
    net = make_net()
    before = {name: x.clone() for name, x in net.named_parameters()}
    batch = make_batch()
    batch.inputs["rgb"][0, 0] = float("inf")
    optim = Optim(steps=3)
    with pytest.raises(NotFiniteError, match="Step 1: the term class, rna"):
        train_steps(Objective(net, Rna()), make_optimizer(optim, net), optim, [[batch]], 1, 0, CPU, lambda *_: None)
    assert all(torch.equal(before[name], x) for name, x in net.named_parameters())


@pytest.mark.parametrize(
    ("terms", "got"),
    [
        (torch.zeros(()), "Tensor"),
        (None, "NoneType"),
        ({"mine": torch.zeros(8)}, r"mine: a tensor of shape \(8,\)"),
        ({"mine": 1.0}, "mine: float"),
    ],
)
def test_terms_that_are_no_scalars_by_name_are_refused(monkeypatch, terms, got):
    monkeypatch.setattr(Rna, "terms", lambda *_: terms)
    with pytest.raises(RunError, match=rf"The terms of the method rna cannot be used\.\n  got:      {got}\n"):
        Objective(make_net(), Rna())([make_batch()], 0.5)


def test_addresses_differ():
    assert len({seed_for(seed, "step", step) for seed in range(5) for step in range(50)}) == 250


def test_losses_stay_float32_under_autocast():
    objective = Objective(make_net(), Rna())
    with torch.autocast("cpu", torch.bfloat16):
        terms, _ = objective([make_batch()], 0.0)
    assert all(term.dtype == torch.float32 for term in terms.values())
