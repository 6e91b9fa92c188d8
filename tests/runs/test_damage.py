"""What is changed or lost in a finished run's folder, or in its features: named, left out, and mended by what the text says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import stores

import egonorm
from egonorm.cli import main
from egonorm.core import RunError
from egonorm.core.tensors import METADATA
from egonorm.report.data.runs import read_report_data
from egonorm.runs.results import COMPLETE, FILE, find_runs, last_mean, read_rows

COMMAND = ["--preset", "features", "--setting", "dg1:D1:D2", "--steps", "4", "--batch", "4", "--width", "0.01"]
CPU = ["--device", "cpu", "--workers", "0"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Features, and finished runs of two methods on them."""
    root = tmp_path_factory.mktemp("made")
    stores.write_store(root / "features", ("rgb", "audio"))
    for method in ("source-only", "rna"):
        main(["train", "--data", f"features:{root / 'features'}", *COMMAND, *CPU, "--out", str(root / "runs"), method])
    return root


@pytest.fixture
def runs(made, tmp_path):
    """A copy of the runs, to be damaged."""
    return Path(shutil.copytree(made / "runs", tmp_path / "runs"))


def run_of(runs, method="rna"):
    return next(path for path in runs.iterdir() if path.name.startswith(f"{method}-"))


def flip(path: Path, place: int = -20) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def half(path):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[len(lines) // 2 :]))


DAMAGE = {
    "half of the rows are lost": lambda folder: half(folder / FILE),
    "a digit": lambda folder: flip(folder / FILE, (folder / FILE).read_bytes().index(b'"value": ') + 9),
    "configuration": lambda folder: (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace('"seed": 0', '"seed": 1')
    ),
    "predictions": lambda folder: flip(folder / "predictions" / "000004-D2.npz", 200),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("method", ["rna", "source-only"])
def test_one_damaged_run_is_left_out_of_tables_and_pages_by_name(runs, capsys, name, method):
    folder = run_of(runs, method)
    DAMAGE[name](folder)
    (other,) = {"rna", "source-only"} - {method}
    main(["table", str(runs), "--format", "csv"])
    printed = capsys.readouterr()
    assert folder.name in printed.err and "Left out" in printed.err
    assert f"\n{other}," in printed.out and f"\n{method}," not in printed.out
    main(["table", str(runs)])
    assert "Left out" in (text := capsys.readouterr().out) and folder.name in "".join(text.split())
    with pytest.warns(UserWarning, match=f"Left out.*{folder.name}"):
        frame = egonorm.table(runs)
    assert set(frame["method"]) == {other}
    data = read_report_data(find_runs(runs), last_mean(9), "last-mean:9")
    assert data.methods == (other,) and folder.name in "".join(data.notes)
    if name != "predictions":  # which a run alone is not compared by
        with pytest.raises(RunError, match=r"config.json|is not what was measured"):
            egonorm.table(folder)


@pytest.mark.parametrize("change", ["half of the rows are lost", "a digit"])
def test_damaged_rows_are_measured_anew_by_a_test(runs, made, capsys, change):
    folder = run_of(runs)
    before = [row for row in read_rows(folder) if row.metric != COMPLETE]
    DAMAGE[change](folder)
    with pytest.raises(RunError, match=f"egonorm test {folder}"):
        read_rows(folder)
    main(["test", str(folder), "--domain", "D1", *CPU])
    assert "is not what was measured" in capsys.readouterr().out
    *rows, last = read_rows(folder)
    assert sorted(map(repr, rows)) == sorted(map(repr, before)) and (last.metric, last.n) == (COMPLETE, len(before))


def test_damaged_checkpoints_are_named(runs):
    folder = run_of(runs)
    network, state = folder / "checkpoints" / "000004.safetensors", folder / "checkpoints" / "state.safetensors"
    flip(network)
    refused = f"{network} is not a checkpoint(.|\n)*damaged: a content of digest"
    for call in (lambda: egonorm.load(folder), lambda: egonorm.evaluate(folder, device="cpu")):
        with pytest.raises(RunError, match=refused):
            call()
    flip(network)
    assert egonorm.load(folder).step == 4
    flip(state)
    (folder / FILE).unlink()
    with pytest.raises(SystemExit, match=f"{state} is not a checkpoint(.|\n)*train --resume {folder}"):
        main(["train", "--resume", str(folder), *CPU])
    shutil.move(folder / "checkpoints", folder.parent / "away")  # what the remedy says
    main(["train", "--resume", str(folder), *CPU])
    assert egonorm.load(folder).step == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content"),
    [
        *(
            ("environment.json", content)
            for content in (b"", b"null", b'[{"a', b"\xff", b"[" * 99999, b'[1, {"a": 1}]')
        ),
        *(
            ("train.jsonl", content)
            for content in (b'\xff\xfe{"step": 1}\n', b'{"x": 1}\n', b'{"step": "a"}\n', b"[" * 99999)
        ),
    ],
)
def test_a_training_goes_on_whatever_became_of_its_history(made, tmp_path, file, content):
    command = ["train", "--data", f"features:{made / 'features'}", *COMMAND, *CPU, "--out", str(tmp_path), "rna"]
    folder = tmp_path / run_of(made / "runs").name
    shutil.copytree(run_of(made / "runs"), folder)
    (folder / FILE).unlink()
    (folder / "checkpoints" / "state.safetensors").unlink()
    (folder / file).write_bytes(content)
    main(command)
    assert [json.loads(line)["step"] for line in (folder / "train.jsonl").read_text().splitlines()] == [1, 2, 3, 4]
    assert json.loads((folder / "environment.json").read_text())[-1]["after_step"] == 0


def check(root, capsys):
    main(["data", "check", f"features:{root}"])
    return capsys.readouterr().out


def test_features_that_changed_are_found_by_data_check(made, tmp_path, capsys):
    root = Path(shutil.copytree(made / "features", tmp_path / "features"))
    assert "digest" not in check(root, capsys)
    flip(root / "rgb.safetensors", -5000)
    with pytest.raises(SystemExit, match=r"rgb.safetensors cannot be read(.|\n)*damaged: a content of digest"):
        check(root, capsys)
    tensors = safetensors.torch.load_file(made / "features" / "rgb.safetensors")
    safetensors.torch.save_file(tensors, root / "rgb.safetensors", {METADATA: "{}"})
    assert "No digest, so that damage could not be seen: rgb." in check(root, capsys)


TESTS = "import sys\nfrom egonorm.cli import main\nmain(['test', *sys.argv[1:], '--device', 'cpu', '--workers', '0'])"


@pytest.mark.slow
def test_tests_of_one_run_at_once_lose_nothing(runs):
    folder = run_of(runs)
    half(folder / FILE)
    domains = ["D1", "D2", "D1", "D2"]
    calls = [subprocess.Popen([sys.executable, "-c", TESTS, folder, "--domain", domain]) for domain in domains]
    assert [call.wait(200) for call in calls] == [0] * 4
    assert {row.domain for row in read_rows(folder)[:-1]} == {"D1", "D2"}
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} >= {".json", ".npz"}
    assert not list(folder.rglob(".*.partial"))
