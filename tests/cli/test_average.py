"""What is averaged over windows: a flag of train, and of test, where another one than the run's is told and not stored."""

import re

import numpy as np

from egonorm.cli import main
from egonorm.runs.config import read_run
from egonorm.runs.results import find_runs, read_rows

HERE = ("--device", "cpu", "--workers", "0")


def test_the_average_of_a_run_and_of_a_test(small, tmp_path, capsys):
    out = tmp_path / "runs"
    for words in ((), ("--average", "logits")):
        main(["train", *small, "--setting", "dg1:D1:D2", "--out", str(out), *HERE, *words, "source-only"])
    by = {read_run(folder).evaluation.average: folder for folder in find_runs(out)}
    assert set(by) == {"softmax", "logits"}
    before = (by["softmax"] / "results.jsonl").read_bytes()
    capsys.readouterr()
    main(["test", str(by["softmax"]), "--average", "logits", *HERE])
    told = capsys.readouterr().out
    top1 = [row.value for row in read_rows(by["logits"]) if row.metric == "top1" and row.domain == "D2"]
    assert f"top1: {np.mean(top1):.2f} %, the mean over {len(top1)} checkpoints on 6 clips" in told
    assert "Nothing was stored" in told and re.search(r"chance: [0-9.]+ %, one answer", told)
    assert (by["softmax"] / "results.jsonl").read_bytes() == before
    main(["test", str(by["softmax"]), "--average", "softmax", *HERE])
    assert "Nothing was stored" not in capsys.readouterr().out
