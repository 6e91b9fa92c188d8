"""The three lists that change on purpose only: which floor may import which, the public names, and the flags."""

import ast
import importlib
from pathlib import Path

import jaxtyping
import pytest
import torch

import egonorm
from egonorm.losses import norms

PACKAGE = Path(egonorm.__file__).parent
FLOORS = {
    "core": 0,
    "losses": 1,
    "metrics": 1,
    "signal": 1,
    "data": 2,
    "nets": 2,
    "methods": 3,
    "train": 4,
    "runs": 5,
    "features": 6,
    "export": 6,
    "sweeps": 6,
    "aggregate": 7,
    "report": 8,
    "cli": 9,
}
NEIGHBOURS = {("nets", "data")}
"""The one look sideways: the net knows what its inputs are."""


def imports():
    for path in PACKAGE.rglob("*.py"):
        home = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.startswith("egonorm.") and home in FLOORS:
                    yield path, home, name.split(".")[1]


def test_imports_point_down():
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {to}"
        for path, home, to in imports()
        if home != to and (home, to) not in NEIGHBOURS and FLOORS[to] >= FLOORS[home]
    ]
    assert not wrong


def test_every_folder_has_a_floor():
    found = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert found == set(FLOORS)


def test_public_names():
    expected = {
        "core": "Batch DataError EgonormError NotFiniteError RunError Seen Setting SettingError Terms View WeightsError",
        "losses": "cosine_distance hard_norm_alignment mean_norm mix_up_half norms relative_norm_alignment reverse_gradient "
        "squared_cosine squared_mmd",
        "metrics": "PairedTest accuracy_interval holm mean_accuracy_interval mean_class_accuracy mean_norm_difference "
        "paired_test recall top1 top_share",
        "signal": "LogMel SoundLook Spectrogram Waveform",
        "data": "AudioInput Clip Clips Manifest Span VideoInput open_data read_manifest write_manifest",
        "nets": "Aisfx BnInception Encoder I3d Lite0 Net Projection load_weights",
        "train": "Evaluation Objective Optim Predictions Runtime judge start_runtime train",
        "runs": "Options Row Run Trial configure execute find_runs measure read_rows read_run",
        "methods": "Method Rna SourceOnly check methods",
        "data.sets.features": "FeatureSet Stored open_set",
        "data.sets.synthetic": "CLASSES KitchensConfig render_kitchens",
    }
    for folder, names in expected.items():
        assert importlib.import_module(f"egonorm.{folder}").__all__ == names.split(), folder


def test_shapes_are_checked_in_tests():
    with pytest.raises(jaxtyping.TypeCheckError):
        norms(torch.zeros(2, 3, 4))
