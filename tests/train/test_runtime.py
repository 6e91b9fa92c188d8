"""Where training runs: what a user is told of a device before it seems to hang."""

import torch

from egonorm.train import runtime


def start(precision: str) -> None:
    with runtime.start_runtime("cpu", precision) as found:
        assert found.precision == precision


def test_a_device_without_bfloat16_is_told_of_once(monkeypatch, capsys):
    monkeypatch.setattr(runtime, "is_quick_in_bfloat16", lambda device: False)
    runtime._warn_of_bfloat16.cache_clear()
    start("float32")
    assert capsys.readouterr().err == ""
    start("bfloat16")
    assert "cpu has no instructions for bfloat16" in capsys.readouterr().err
    start("bfloat16")
    assert capsys.readouterr().err == ""


def test_one_that_has_it_is_not(monkeypatch, capsys):
    monkeypatch.setattr(runtime, "is_quick_in_bfloat16", lambda device: True)
    runtime._warn_of_bfloat16.cache_clear()
    start("bfloat16")
    assert capsys.readouterr().err == ""
    runtime._warn_of_bfloat16.cache_clear()


def test_a_cpu_says_what_it_can():
    can, cpu = torch.cpu.get_capabilities(), torch.device("cpu")
    if can.get("avx512_bf16"):
        assert runtime.is_quick_in_bfloat16(cpu)
    if can.get("avx2") and not can.get("avx512_f") and not can.get("avx_ne_convert"):
        assert not runtime.is_quick_in_bfloat16(cpu)
