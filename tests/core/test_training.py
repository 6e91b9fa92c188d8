"""What `Optim` is: schedules against torch's, numbers in their ranges, one spelling for equal runs, words for the unusual."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, MultiStepLR, SequentialLR

from egonorm.core import RunError
from egonorm.core.training import Optim

STEPS = st.integers(2, 60)
LR = 0.03


def rates_of_torch(steps: int, schedule) -> list[float]:
    """The learning rate of each step by a scheduler of torch, stepped behind the optimiser as its documentation says."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler: LRScheduler = schedule(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def rates(optim: Optim) -> list[float]:
    return [optim.lr_at(step) for step in range(1, optim.steps + 1)]


@pytest.mark.slow
@settings(deadline=None)
@given(STEPS, st.lists(st.floats(0.01, 1), max_size=3), st.floats(0.05, 1))
def test_steps_are_torchs_multi_step(steps, shares, gamma):
    optim = Optim(steps=steps, lr=LR, milestones=tuple(shares), gamma=gamma)
    expected = rates_of_torch(steps, lambda o: MultiStepLR(o, sorted(round(x * steps) for x in shares), gamma))
    assert rates(optim) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None)
@given(STEPS)
def test_cosine_is_torchs(steps):
    expected = rates_of_torch(steps, lambda o: CosineAnnealingLR(o, T_max=steps))
    assert rates(Optim(steps=steps, lr=LR, schedule="cosine")) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(st.data())
def test_cosine_after_a_warm_up_is_torchs_in_sequence(data):
    steps = data.draw(st.integers(3, 60))
    warm_up = data.draw(st.integers(1, steps - 1))

    def schedule(optimizer):
        rise = LambdaLR(optimizer, lambda done: (done + 1) / warm_up)
        return SequentialLR(optimizer, [rise, CosineAnnealingLR(optimizer, T_max=steps - warm_up)], [warm_up])

    optim = Optim(steps=steps, lr=LR, schedule="cosine", warm_up=warm_up)
    expected = rates_of_torch(steps, schedule)
    assert rates(optim) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(st.data())
def test_steps_with_a_warm_up_are_their_product(data):
    steps = data.draw(STEPS)
    warm_up = data.draw(st.integers(0, steps - 1))
    share = data.draw(st.floats(0.01, 1))

    def factor(done: int) -> float:
        return min(1.0, (done + 1) / max(1, warm_up)) * (0.1 if done >= round(share * steps) else 1.0)

    optim = Optim(steps=steps, lr=LR, milestones=(share,), warm_up=warm_up)
    assert rates(optim) == pytest.approx(rates_of_torch(steps, lambda o: LambdaLR(o, factor)), rel=1e-12)


@settings(deadline=None)
@given(st.integers(10, 500), st.floats(0, 0.9))
def test_a_warm_up_is_a_share_or_a_number(steps, share):
    by_share, number = Optim(steps=steps, warm_up=share), round(share * steps)
    assert by_share.warm_up_steps == number
    assert rates(by_share) == rates(Optim(steps=steps, warm_up=number))


@settings(deadline=None)
@given(STEPS, st.sampled_from(["steps", "cosine"]), st.floats(0, 0.4))
def test_no_step_is_wasted_and_the_full_rate_is_reached(steps, schedule, share):
    found = rates(Optim(steps=steps, lr=LR, schedule=schedule, warm_up=share, milestones=(0.9,)))
    assert min(found) > 0 and max(found) == LR


def test_the_defaults_are_the_authors_schedule():
    assert rates(Optim(steps=6)) == [0.01] * 2 + [0.01 * 0.1] * 4


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("name", ["steps", "batch", "lr", "momentum", "weight_decay", "warm_up"])
def test_numbers_out_of_their_range_are_refused(name, value):
    with pytest.raises(
        RunError, match=rf"--{name.replace('_', '-')} cannot be used(.|\n)*expected: (more|0 or|from|a share)"
    ):
        Optim(**{name: value})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, r"--steps cannot be used.*\n.*0\n.*more than 0\n.*Correct --steps"),
        ({"momentum": 1.0}, r"--momentum cannot be used.*\n.*1.0\n.*from 0 to below 1"),
        ({"optimizer": "adamw", "betas": (0.9, 1.0)}, r"--betas cannot be used.*\n.*0.9 1.0\n.*from 0 to below 1"),
        (
            {"optimizer": "adamw", "momentum": 0.5},
            r"--momentum is of no use.*\n.*--optimizer adamw\n.*--momentum with sgd",
        ),
        ({"betas": (0.8, 0.9)}, r"--betas is of no use.*\n.*--optimizer sgd\n.*--betas with adamw"),
        ({"steps": 10, "warm_up": 10}, r"--warm-up cannot be used.*\n.*10.0\n.*a whole number of steps below 10"),
        ({"steps": 10, "warm_up": 0.96}, r"--warm-up cannot be used.*\n.*0.96\n"),
        ({"steps": 10, "warm_up": 2.5}, r"--warm-up cannot be used.*\n.*2.5\n"),
        ({"lr_factors": {"rgb": 0}}, r"--lr-factor cannot be used.*\n.*rgb=0.0\n.*above 0\n.*--freeze rgb"),
        ({"lr_factors": {"rgb": math.inf}}, r"--lr-factor cannot be used.*\n.*rgb=inf\n"),
        ({"lr_factors": {"rgb": 1, "RGB": 2}}, r"--lr-factor cannot be used.*\n.*rgb, RGB\n.*once"),
        (
            {"lr_factors": {"rgb": 1}, "frozen": ("RGB",)},
            r"cannot be frozen and learn.*\n.*--lr-factor for rgb\n.*one of",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes, words):
    with pytest.raises(RunError, match=words):
        Optim(**changes)


def test_equal_blocks_are_equal_however_they_are_written():
    one = Optim(lr_factors={"RGB.encoder": 0.1, "audio": 2}, frozen=("flow", "audio.encoder.Conv1"), warm_up=5)
    two = Optim(
        lr_factors={"audio": 2.0, "rgb.encoder": 0.1}, frozen=("audio.encoder.conv1", "flow", "flow"), warm_up=5.0
    )
    assert one == two and repr(one) == repr(two)
    assert one.blocks == ("audio", "rgb.encoder", "audio.encoder.conv1", "flow")


def test_a_network_without_a_modality_goes_without_its_blocks():
    optim = Optim(
        lr_factors={"rgb.encoder": 0.1, "audio": 0.5, "fusion": 2}, frozen=("rgb.encoder.mixed_3", "audio.encoder")
    )
    alone = Optim(lr_factors={"audio": 0.5, "fusion": 2}, frozen=("audio.encoder",))
    assert optim.without({"rgb"}) == alone and optim.without(()) == optim


def test_what_is_unusual_is_said_in_words():
    assert Optim(steps=5, batch=4, lr=0.5).unusual == ()
    optim = Optim(optimizer="adamw", betas=(0.8, 0.9), weight_decay=0.01, schedule="cosine", warm_up=0.1)
    assert optim.unusual == ("adamw", "betas 0.8 0.9", "weight decay 0.01", "cosine", "warm-up 0.1")
    optim = Optim(momentum=0.5, lr_factors={"rgb": 0.1, "fusion": 3}, frozen=("audio", "rgb.encoder"))
    assert optim.unusual == ("momentum 0.5", "lr of fusion times 3, lr of rgb times 0.1", "frozen audio, rgb.encoder")
