"""The measurements on a GPU: the whole program in small on the CPU, and what it does where there is no GPU."""

import pytest
import torch

from benchmarks import gpu
from benchmarks.limit import precisions


@pytest.mark.slow
def test_the_whole_program_in_small(tmp_path, capsys):
    path = tmp_path / "GPU.md"
    assert gpu.main(["--device", "cpu", "--tiny", "--workers", "1", "--out", str(path)]) == 0
    assert capsys.readouterr().out == f"Written: {path}\n"
    text = path.read_text()
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert [line.split()[1] for line in headings] == ["Training", "Features", "Steps", "Clips", "The"]
    assert "| float32, TF32 off | 0.0e+00 | 0.0e+00 |" in text
    steps = [line for line in text.splitlines() if line.startswith(("| float32 | ", "| bfloat16 | "))]
    assert [line.split(" | ")[2:4] for line in steps] == len(precisions(torch.device("cpu"))) * [
        ["1", "whole"],
        ["1", "2"],
        ["2", "whole"],
        ["2", "2"],
    ]
    kernels = text.partition("slowest kernels")[2].splitlines()
    assert len([line for line in kernels if "%" in line and "`" in line]) == gpu.KERNELS


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path, capsys):
    assert gpu.main(["--out", str(tmp_path / "GPU.md")]) == 0
    assert capsys.readouterr().out == "There is no GPU here, so nothing was measured and nothing was written.\n"
    assert not list(tmp_path.iterdir())
