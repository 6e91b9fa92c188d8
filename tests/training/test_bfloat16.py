"""bfloat16: what a user is told of a device before it seems to hang."""

import pytest
import torch

from egonorm.training import bfloat16, runtime


@pytest.fixture(autouse=True)
def fresh():
    bfloat16.warn_of_bfloat16.cache_clear()
    yield
    bfloat16.warn_of_bfloat16.cache_clear()


def start(precision: str) -> None:
    with runtime.start_runtime("cpu", precision) as found:
        assert found.precision == precision


def machine(monkeypatch, has: bool, gain: float) -> None:
    monkeypatch.setattr(bfloat16, "has_bfloat16", lambda device: has)
    monkeypatch.setattr(bfloat16, "gain_of_bfloat16", lambda: gain)


@pytest.mark.parametrize(
    ("has", "gain", "told"),
    [(False, 2.0, "cpu has no instructions for bfloat16"), (True, 0.5, "in bfloat16 at 0.5 times its rate in float32")],
)
def test_a_device_that_does_not_gain_is_told_of_once(monkeypatch, capsys, has, gain, told):
    machine(monkeypatch, has, gain)
    start("float32")
    assert capsys.readouterr().err == ""
    start("bfloat16")
    assert told in (err := capsys.readouterr().err) and "--precision float32" in err
    start("bfloat16")
    assert capsys.readouterr().err == ""


def test_one_that_gains_is_not(monkeypatch, capsys):
    machine(monkeypatch, True, 2.0)
    start("bfloat16")
    assert capsys.readouterr().err == ""


def test_a_cpu_says_what_it_has():
    can, cpu = torch.cpu.get_capabilities(), torch.device("cpu")
    if can.get("avx512_bf16"):
        assert bfloat16.has_bfloat16(cpu)
    if can.get("avx2") and not can.get("avx512_f") and not can.get("avx_ne_convert"):
        assert not bfloat16.has_bfloat16(cpu)


def test_the_gain_is_of_the_fastest_products(monkeypatch):
    times = {torch.float32: iter([9.0, *7 * [3.0]]), torch.bfloat16: iter([*7 * [8.0], 6.0])}
    monkeypatch.setattr(bfloat16, "_seconds_of_product", lambda matrix: next(times[matrix.dtype]))
    assert bfloat16.gain_of_bfloat16.__wrapped__() == 0.5


@pytest.mark.skipif(not bfloat16.has_bfloat16(torch.device("cpu")), reason="the processor has no bfloat16")
def test_the_gain_of_this_processor_is_within_reason():
    assert 1 / 20 < bfloat16.gain_of_bfloat16() < 40
