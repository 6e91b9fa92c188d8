"""The command line: the list of flags, errors in four lines, and each verb as a user calls it."""

import shutil
import subprocess
import sys
from dataclasses import MISSING, fields

import pytest

from egonorm import cli
from our_methods import our_methods

RUN = (
    "preset modalities fusion width encoder weights steps batch micro_batch optimizer lr schedule warm_up momentum betas "
    "weight_decay lr_factor freeze average standardise precision"
)
MACHINE = "device workers skip_broken"
FLAGS = {
    "RenderKitchens": "folder clips kitchens seed size flow",
    "Check": "data modalities thorough",
    "Pack": "data out modalities short_side quality rate clips_only workers skip_broken",
    "Extract": f"sources data out encoder preset windows shard batch precision {MACHINE}",
    "Train": f"data setting seed out resume {RUN} {MACHINE} method",
    "Bench": f"suite data seeds out methods setting radius {RUN} shard engine jobs {MACHINE}",
    "Test": f"run domain data average {MACHINE}",
    "Tabulate": "runs select format against",
    "Report": "runs out method select clips",
    "Cam": "run clip beside logit of out",
    "Demo": "out workers",
    "Get": "name source",
    "List": "",
}
"""To add a flag, change this list and say why in DECISIONS.md."""


def places(commands=cli.COMMANDS):
    return [p for x in commands.values() for p in (places(x) if isinstance(x, dict) else [x])]


def flags(options) -> list[str]:
    """The names of a command's options, those that it shares with others in their place."""
    inner = {field.name: field.default_factory for field in fields(options)}
    return [name for field, made in inner.items() for name in (flags(made()) if made is not MISSING else [field])]


def test_the_list_of_flags():
    found = {command.__name__: " ".join(flags(command)) for command in map(cli.load_command, places())}
    assert found == FLAGS
    assert set(cli.COMMANDS) == {
        "data",
        "extract",
        "train",
        "test",
        "bench",
        "table",
        "report",
        "cam",
        "weights",
        "demo",
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--help"], "Do all the runs of a suite"),
        (["data", "--help"], "Render the procedural kitchens"),
        (["weights", "--help"], "Fetch the weights of a published network"),
        (["nonsense"], "Available subcommands: data"),
        ([], "Missing subcommand"),
    ],
)
def test_the_help_of_all_commands_imports_none_of_them(words, told):
    program = f"""
import sys
from egonorm import cli

try:
    cli.main({words})
except SystemExit:
    heavy = {{"torch", "numpy", "matplotlib", "av", "pandas", "egonorm.runs", "egonorm.core"}}
    print("imported:", *sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told in done.stdout + done.stderr and done.stderr.endswith("imported:\n")


@pytest.mark.slow
def test_a_shell_completes_the_options_of_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--tyro-print-completion", "bash"])
    text = capsys.readouterr().out
    assert all(option in text for option in ("--shard", "--resume", "--against", "--thorough"))


def call(capsys, *words):
    cli.main([str(word) for word in words])
    return capsys.readouterr().out


def refusal(*words):
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    text = str(caught.value)
    assert text.startswith("error: ") and all(f"  {word}" in text for word in ("got:", "expected:", "remedy:"))
    return text


def test_every_method_is_a_subcommand_with_its_options(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in our_methods())
    with pytest.raises(SystemExit):
        cli.main(["train", "rna", "--help"])
    text = capsys.readouterr().out
    assert "--weight" in text and "{second,first}" in text and "{ratio_of_means,mean_of_ratios}" in text


@pytest.mark.slow
def test_the_main_job_by_hand(kitchens, tmp_path, capsys):
    small = [
        "--preset",
        "demo",
        "--steps",
        "2",
        "--batch",
        "4",
        "--width",
        "0.0625",
        "--workers",
        "0",
        "--device",
        "cpu",
    ]
    train = ["train", "--data", f"kitchens:{kitchens}", "--setting", "dg1:D1:D2", *small, "--out", tmp_path]
    text = call(capsys, *train, "--fusion", "concat", "--modalities", "audio,rgb", "rna", "--weight", "0.5")
    assert "top-1 fused" in text and "delta audio-rgb" in text
    (folder,) = tmp_path.iterdir()
    assert str(folder) in text
    assert "D3" in call(capsys, "test", folder, "--domain", "D3", "--workers", "0", "--device", "cpu")
    call(capsys, *train, "source-only")
    table = call(capsys, "table", tmp_path, "--select", "last", "--format", "markdown")
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:7]] == ["rna:weight=0.5"] * 3 + [
        "source-only"
    ] * 2


def test_data_check_says_what_is_there_and_what_is_not(kitchens, tmp_path, capsys):
    text = call(capsys, "data", "check", f"kitchens:{kitchens}")
    assert "D1: clips: 16 train, 8 test" in text and "All media of 72 clips are there (" in text
    root = tmp_path / "broken"
    shutil.copytree(kitchens, root)
    (root / "D2" / "D2_train_00.mp4").unlink()
    (root / "D3" / "D3_test_00.mp4").write_bytes(b"nonsense")
    text = refusal("data", "check", f"kitchens:{root}")
    assert "D2/D2_train_00.mp4 (rgb+audio; clips" in text and "D3/D3_test_00.mp4" in text


@pytest.mark.slow
def test_rendering_by_hand_and_again_with_other_options(tmp_path, capsys):
    words = ["data", "kitchens", tmp_path / "k", "--clips", "24", "--kitchens", "1", "--size", "48", "64"]
    assert "manifest.csv" in call(capsys, *words)
    before = {path: path.read_bytes() for path in (tmp_path / "k").rglob("*") if path.is_file()}
    call(capsys, *words)
    refusal(*words, "--seed", "3")
    assert before == {path: path.read_bytes() for path in (tmp_path / "k").rglob("*") if path.is_file()}


NEW = ("train", "--data", "folder:/x", "--setting", "dg1:D1:D2", "--device", "cpu")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--momentum 1", "--momentum cannot be used"),
        ("--weight-decay -0.1", "--weight-decay cannot be used"),
        ("--optimizer adamw --betas 0.9 1", "--betas cannot be used"),
        ("--optimizer adamw --momentum 0.5", "--momentum is of no use"),
        ("--betas 0.8 0.9", "--betas is of no use"),
        ("--steps 20 --warm-up 20", "a whole number of steps below 20"),
        ("--warm-up -0.1", "--warm-up cannot be used"),
        ("--lr-factor rgb.encoder", "--lr-factor cannot be read"),
        ("--lr-factor rgb.encoder=slow", "--lr-factor cannot be read"),
        ("--lr-factor rgb=1 --lr-factor rgb=2", "rgb=2, a second time"),
        ("--lr-factor rgb.encoder=0", "--freeze rgb.encoder"),
        ("--lr-factor smell=0.1", "--lr-factor: the network has no block smell"),
        ("--freeze rgb.encoder.mixd", "rgb.encoder.mixed_5c"),
        ("--freeze fusion --freeze extra.domain_rgb", "--freeze: the network has no block extra.domain_rgb"),
        ("--freeze rgb --freeze audio", "Nothing is left to learn"),
        ("--freeze rgb --lr-factor rgb=2", "cannot be frozen and learn"),
    ],
)
def test_optimisation_that_makes_no_sense_is_refused_before_files_are_opened(words, message, monkeypatch, tmp_path):
    monkeypatch.setattr("egonorm.runs.run.open_clip_set", lambda text: pytest.fail("a file was opened"))
    assert message in refusal(*NEW, "--out", tmp_path / "runs", *words.split(), "rna")
    assert not (tmp_path / "runs").exists()


def test_an_optimizer_that_there_is_not(capsys):
    with pytest.raises(SystemExit):
        cli.main([*NEW, "--optimizer", "adagrad", "rna"])
    assert "sgd" in (text := capsys.readouterr().err) and "adamw" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "rna"], "no --data, --setting"),
        (["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2"], "no METHOD"),
        (["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2", "rna"], "/nowhere is not a folder"),
        (
            ["train", "--data", "film:/nowhere", "--setting", "dg1:D1:D2", "rna"],
            "a kind among epic55, features, folder, kitchens",
        ),
        (["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D1", "rna"], "also a source"),
        (["train", "--resume", "/nowhere"], "is not the folder of a run"),
        (
            ["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2", "--device", "abacus", "rna"],
            "'abacus' cannot be",
        ),
        (
            ["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2", "--device", "meta", "rna"],
            "'meta' cannot be used",
        ),
        (
            ["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2", "--seed", "-1", "rna"],
            "--seed cannot be used",
        ),
        (
            ["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2", "--steps", "0", "rna"],
            "--steps cannot be used",
        ),
        (
            ["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2", "--width", "nan", "rna"],
            "--width cannot be used",
        ),
        (
            ["train", "--data", "folder:/nowhere", "--setting", "dg1:D1:D2", "--workers", "-1", "rna"],
            "--workers cannot be",
        ),
        (
            ["train", "--data", "folder:/x", "--setting", "dg1:D1:D2", "--weights", "smell=x.pt", "rna"],
            "weights for smell",
        ),
        (
            ["train", "--data", "folder:/x", "--setting", "dg1:D1:D2", "--weights", "x.pt", "rna"],
            "--weights cannot be read",
        ),
        (["test", "/nowhere"], "is not the folder of a run"),
        (["table", "/nowhere"], "holds no runs"),
        (["data", "check", "folder:/nowhere"], "/nowhere is not a folder"),
    ],
)
def test_errors_say_got_expected_remedy(words, message):
    assert message in refusal(*words)


@pytest.mark.slow
def test_python_m_egonorm_is_the_same_program():
    done = subprocess.run(
        [sys.executable, "-m", "egonorm", "table", "/nowhere"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.startswith("error: /nowhere holds no runs.") and not done.stdout


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error():
    program = """
from egonorm import cli
from egonorm.cli import table

def broken(*_):
    raise BrokenPipeError

table.find_runs = broken
cli.main(["table", "runs"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stderr


def test_a_run_is_refused_before_files_are_opened_when_the_method_cannot_work(monkeypatch):
    monkeypatch.setattr("egonorm.runs.run.open_clip_set", lambda text: pytest.fail("a file was opened"))
    text = refusal(
        "train", "--data", "folder:/x", "--setting", "dg1:D1:D2", "--modalities", "rgb", "--device", "cpu", "rna"
    )
    assert "rna" in text and "dg1:D1:D2" in text
