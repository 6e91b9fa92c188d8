"""A run that is killed at any instant and goes on ends byte for byte as one that was never stopped."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import killed_worker
import pytest
from killed_worker import checkpoint_often

from egonorm.cli import main
from egonorm.runs import presets, run
from egonorm.runs.results import is_complete, read_rows

MOMENTS = {"step": 4, "write": 2, "between": 2}
"""Each moment, and the step that training then goes on after."""


def arguments(kitchens, out):
    data = f"--data kitchens:{kitchens} --setting dg1:D1:D2 --device cpu --workers 0"
    size = f"--preset demo --steps 8 --batch 4 --width 0.0625 --out {out}"
    return ["train", *data.split(), *size.split(), "rna"]


@pytest.fixture(scope="module")
def unbroken(kitchens, tmp_path_factory):
    """The files of a run that was never stopped."""
    out = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(presets.PRESETS, "demo", presets.demo)
        patch.setattr(run, "SPARE", run.SPARE)
        checkpoint_often()
        main(arguments(kitchens, out))
    return next(out.iterdir())


def weights(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}


def logged(folder: Path) -> list[dict]:
    """The log without how long it took."""
    entries = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in entries]


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_goes_on_to_the_same_bytes(moment, kitchens, unbroken, tmp_path):
    command = [sys.executable, killed_worker.__file__, moment, *arguments(kitchens, tmp_path)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (folder,) = tmp_path.iterdir()
    assert not is_complete(folder)
    log = [json.loads(line)["step"] for line in (folder / "train.jsonl").read_text().splitlines() if line.endswith("}")]
    assert log and log[-1] >= MOMENTS[moment]
    main(["train", "--resume", str(folder), "--device", "cpu", "--workers", "0"])
    assert is_complete(folder)
    assert weights(folder) == weights(unbroken)
    assert logged(folder) == logged(unbroken)
    assert [entry["step"] for entry in logged(folder)] == list(range(1, 9))
    assert [row.value for row in read_rows(folder)] == [row.value for row in read_rows(unbroken)]


@pytest.mark.slow
def test_a_finished_run_has_nothing_to_resume(unbroken, capsys):
    before = weights(unbroken)
    main(["train", "--resume", str(unbroken), "--device", "cpu", "--workers", "0"])
    assert weights(unbroken) == before
    assert "rna" in capsys.readouterr().out
