"""Packing from the command line: any data becomes data of the kind packed, in which everything works as before."""

import json
import shutil

import numpy as np
import pytest

from egonorm import cli
from egonorm.data import open_clip_set

pytestmark = pytest.mark.slow

SMALL = ["--preset", "demo", "--steps", "2", "--batch", "4", "--width", "0.0625", "--workers", "0", "--device", "cpu"]


def call(capsys, *words) -> str:
    cli.main([str(word) for word in words])
    return capsys.readouterr().out


def refusal(*words) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    text = str(caught.value)
    assert text.startswith("error: ") and all(f"  {word}" in text for word in ("got:", "expected:", "remedy:"))
    return text


@pytest.fixture(scope="module")
def packed(kitchens, tmp_path_factory):
    """The small kitchens, packed by a call."""
    out = tmp_path_factory.mktemp("packed") / "kitchens"
    cli.main(["data", "pack", f"kitchens:{kitchens}", "--out", str(out), "--workers", "2"])
    return out


def test_a_call_says_what_it_cost_and_a_second_one_does_nothing(kitchens, packed, tmp_path, capsys):
    text = call(
        capsys, "data", "pack", f"kitchens:{kitchens}", "--out", tmp_path, "--quality", "50", "--modalities", "rgb"
    )
    size = sum(path.stat().st_size for path in (tmp_path / "rgb").glob("*.tar"))
    seconds = sum(float(np.load(path)["time"][-1]) for path in (tmp_path / "rgb").glob("*.npy"))
    assert f"Packed 9 media of {seconds / 60:.1f} minutes in " in text and f": {size / 1e6:.1f} MB, " in text
    assert f"{size / seconds * 60 / 1e6:.2f} MB a minute; the source takes " in text
    again = call(capsys, "data", "pack", f"kitchens:{kitchens}", "--out", packed)
    assert "All of it was packed before." in again and f"egonorm data check packed:{packed}" in again


def test_packed_data_are_checked_trained_on_and_extracted_as_any(kitchens, packed, tmp_path, capsys):
    text = call(capsys, "data", "check", f"packed:{packed}", "--thorough")
    assert f"Packed of kitchens:{kitchens}" in text and "rgb: 9 x packed: rgb/MEDIUM" in text
    assert "D1: clips: 16 train, 8 test" in text and "All media of 72 clips are there and whole (rgb, audio)." in text
    assert (
        open_clip_set(f"packed:{packed}").manifest.digest() == open_clip_set(f"kitchens:{kitchens}").manifest.digest()
    )
    runs = tmp_path / "runs"
    train = ["train", "--setting", "dg1:D1:D2", *SMALL, "--out", runs]
    call(capsys, *train, "--data", f"packed:{packed}", "source-only")
    (run,) = runs.iterdir()
    assert "D3" in call(capsys, "test", run, "--domain", "D3", "--workers", "0", "--device", "cpu")
    options = f"--data packed:{packed} --out {tmp_path / 'features'} --windows 2 --workers 0 --device cpu"
    assert "The features lie in" in call(capsys, "extract", run, *options.split())


def test_what_is_broken_is_told_and_mended_or_left_out(kitchens, tmp_path, capsys):
    root, out = tmp_path / "broken", tmp_path / "out"
    shutil.copytree(kitchens, root)
    whole = (root / "D3" / "D3_test_00.mp4").read_bytes()
    (root / "D3" / "D3_test_00.mp4").write_bytes(b"nonsense")
    words = ["data", "pack", f"kitchens:{root}", "--out", out, "--modalities", "audio", "--workers", "1"]
    text = refusal(*words)
    assert "D3/D3_test_00.mp4 (audio; clips D3_test_00_0" in text and "--skip-broken" in text
    assert "is not complete" in refusal("data", "check", f"packed:{out}")
    text = call(capsys, *words, "--skip-broken")
    assert "Left out:" in text and "Packed" not in text.replace("All of it was packed before.", "")
    (lost,) = json.loads((out / "left_out.json").read_text())
    assert len(open_clip_set(f"packed:{out}").manifest) == 72 - len(lost["clips"])
    (root / "D3" / "D3_test_00.mp4").write_bytes(whole)
    assert "Packed 1 media of" in call(capsys, *words)
    assert len(open_clip_set(f"packed:{out}").manifest) == 72 and not (out / "left_out.json").exists()


def test_other_options_and_data_that_cannot_be_packed_are_refused(kitchens, packed, tmp_path):
    words = ["data", "pack", f"kitchens:{kitchens}", "--out"]
    assert "packed otherwise" in refusal(*words, packed, "--quality", "80")
    assert "packed otherwise" in refusal(*words, packed, "--clips-only")
    for option, value in (("quality", 101), ("short-side", 0), ("rate", 0), ("workers", 0)):
        assert f"--{option} cannot be used" in refusal(*words, tmp_path / "x", f"--{option}", value)
    assert "The modalities cannot be used" in refusal(*words, tmp_path / "x", "--modalities", "rgb,smell")
    assert "--flow" in refusal(*words, tmp_path / "x", "--modalities", "flow")
    assert not (tmp_path / "x").exists()
