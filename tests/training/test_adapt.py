"""Adaptation by unlabelled target clips: one precision after training and at test, a state for each net, and its limits."""

import pytest
import torch
from torch import nn

from egonorm.core import Batch, RunError
from egonorm.core.training import Evaluation
from egonorm.nets.net import Net
from egonorm.training.adapt import OnlineAdaptation, adapt_to_all
from egonorm.training.engine import judge
from egonorm.training.runtime import Runtime

CPU = Runtime(torch.device("cpu"))


class Encoder(nn.Linear):
    """A linear encoder."""

    memory_format, num_features = torch.contiguous_format, 3


def make_net():
    torch.manual_seed(0)
    return Net({"rgb": Encoder(3, 3)}, 3).eval()


def batches(number=3):
    generator = torch.Generator().manual_seed(1)
    return [
        Batch("D2", (f"{k}a", f"{k}b"), {"rgb": torch.randn(2, 3, generator=generator)}, torch.tensor([0, 1]))
        for k in range(number)
    ]


def mix(net, target):
    """A running mixture of the batches' means, kept as the classifier's bias: a state that lives from batch to batch."""
    mean = torch.zeros(3)
    for count, batch in enumerate(target):
        assert batch.labels is None
        mean = (mean * count + batch.inputs["rgb"].mean(0)) / (count + 1)
        with torch.no_grad():
            net.fusion.classifiers["rgb"].bias.copy_(mean)
        yield


def test_state_lives_from_batch_to_batch_and_is_fresh_for_each_net():
    nets = {step: make_net() for step in (1, 2)}
    adaptations = {step: OnlineAdaptation(mix, net, CPU, step) for step, net in nets.items()}
    shown = batches()
    for count in range(1, 4):
        expected = torch.stack([batch.inputs["rgb"].mean(0) for batch in shown[:count]]).mean(0)
        for step, net in nets.items():
            adaptations[step].show(shown[count - 1])
            torch.testing.assert_close(net.fusion.classifiers["rgb"].bias.detach(), expected)


def test_judging_shows_each_batch_before_it_is_predicted():
    net, plain = make_net(), make_net()
    found = judge({1: net}, [(b,) for b in batches()], Evaluation(1), CPU, {1: OnlineAdaptation(mix, net, CPU, 0)})[1]
    mean, expected = torch.zeros(3), []
    for count, batch in enumerate(batches()):
        mean = (mean * count + batch.inputs["rgb"].mean(0)) / (count + 1)
        plain.fusion.classifiers["rgb"].bias.data = mean
        expected.append(plain.classify(plain.features(batch.inputs)).softmax(1))
    torch.testing.assert_close(torch.from_numpy(found.scores["fused"]), torch.cat(expected).detach())


def test_every_process_judges_all_clips_where_they_change_the_net(monkeypatch):
    monkeypatch.setattr(Runtime, "collect", lambda *_: pytest.fail("the processes shared the clips"))
    net = make_net()
    runtime = Runtime(torch.device("cpu"), rank=1, num_ranks=2)
    found = judge({1: net}, [(b,) for b in batches()], Evaluation(1), runtime, {1: OnlineAdaptation(mix, net, CPU, 0)})
    assert len(found[1].uids) == 6


def test_an_optimiser_of_its_own_takes_a_step_for_each_batch_and_may_predict_first():
    heard = []

    @torch.no_grad()  # of a whole generator: within it, between its yields, and not outside
    def watch(net, target):
        for _ in target:
            heard.append(torch.is_grad_enabled())
            yield

    def learn(net, target):
        optimizer = torch.optim.Adam(net.fusion.parameters(), lr=0.1)
        for batch in target:
            yield  # the batch is predicted by the net as the ones before it left it
            logits = net.classify(net.features(batch.inputs))
            optimizer.zero_grad()
            (-logits.softmax(1).square().sum()).backward()
            optimizer.step()
        heard.append(len(optimizer.state) > 0)

    net = make_net()
    one, two = OnlineAdaptation(learn, net, CPU, 0), OnlineAdaptation(watch, make_net(), CPU, 0)
    weights = []
    for batch in batches():
        one.show(batch)
        two.show(batch)
        weights.append(net.fusion.classifiers["rgb"].weight.detach().clone())
        assert torch.is_grad_enabled()
    one.finish()
    two.finish()
    weights.append(net.fusion.classifiers["rgb"].weight.detach().clone())
    assert [torch.equal(weights[k], weights[k + 1]) for k in range(3)] == [False, False, False]
    assert heard == [False, False, False, True] and torch.is_grad_enabled()


def test_a_generator_that_yields_within_no_grad_leaves_others_theirs():
    seen = []

    def inside(net, target):
        with torch.no_grad():
            for _ in target:
                yield
                seen.append(torch.is_grad_enabled())

    def outside(net, target):
        for _ in target:
            seen.append(torch.is_grad_enabled())
            yield

    adaptations = [OnlineAdaptation(adapt, make_net(), CPU, 0) for adapt in (inside, outside, inside)]
    for batch in batches(2):
        for adaptation in adaptations:
            adaptation.show(batch)
            assert torch.is_grad_enabled()
    for adaptation in adaptations:
        adaptation.finish()
    assert seen == [True, False, True, False, False, False]
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_after_training_and_at_test_is_that_of_the_run(precision):
    dtypes = []

    def adapt(net, target):
        for batch in target:
            dtypes.append(net.encode("rgb", batch.inputs["rgb"]).dtype)
            yield

    runtime = Runtime(torch.device("cpu"), precision)
    adapt_to_all(adapt, make_net(), iter(batches(2)), runtime, 0)
    online = OnlineAdaptation(adapt, make_net(), runtime, 0)
    online.show(batches(1)[0])
    assert dtypes == [getattr(torch, precision)] * 3 and not torch.is_autocast_enabled("cpu")


def test_random_numbers_follow_from_the_seed_and_the_batch_alone():
    drawn = []

    def adapt(net, target):
        for _ in target:
            drawn.append(float(torch.rand(())))
            yield

    for disturbance in (0, 7):
        online = OnlineAdaptation(adapt, make_net(), CPU, 5)
        for batch in batches(2):
            torch.rand(disturbance)
            online.show(batch)
    assert drawn[:2] == drawn[2:] and drawn[0] != drawn[1]


def one_too_many(net, target):
    """Take two batches for one yield."""
    for _ in zip(target, target, strict=False):
        yield


def none_taken(net, target):
    """Yield without a batch."""
    while True:
        yield


def only_one(net, target):
    """End after the first batch."""
    next(target)
    yield


@pytest.mark.parametrize(
    ("adapt", "got"),
    [
        (one_too_many, "a second batch taken before a yield"),
        (none_taken, "a yield before the batch was taken"),
        (only_one, "an end"),
    ],
)
def test_an_adapt_that_does_not_go_with_the_judging_is_refused(adapt, got):
    online = OnlineAdaptation(adapt, make_net(), CPU, 0)
    with pytest.raises(RunError, match=rf"does not go with the judging of batch(.|\n)*{got}(.|\n)*then yield"):
        for batch in batches(2):
            online.show(batch)
