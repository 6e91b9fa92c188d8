"""The public names, a list that changes on purpose only, and that the tests check shapes."""

import importlib

import jaxtyping
import pytest
import torch

from egonorm.losses import norms


def test_public_names():
    expected = {
        "core": "Batch DataError EgonormError NotFiniteError PartlyBrokenError RunError Seen Setting SettingError Terms View "
        "WeightsError",
        "losses": "cosine_distance hard_norm_alignment mean_norm mix_up_half norms relative_norm_alignment reverse_gradient "
        "squared_cosine squared_mmd",
        "metrics": "DeadStream PairedTest accuracy_interval answer_share chance dead_streams describe_dead holm "
        "mean_accuracy_interval mean_class_accuracy mean_norm_difference paired_test recall top1 top_share",
        "signal": "LogMel SoundLook Spectrogram Waveform",
        "data": "AudioInput Clip Clips FeatureInput Input Manifest Span VideoInput "
        "open_clip_set open_data read_manifest write_manifest",
        "nets": "Aisfx BnInception Encoder I3d Lite0 Net Projection load_weights",
        "training": "Evaluation Objective Optim Predictions Runtime judge start_runtime train_steps",
        "runs": "Options Row Run RunContext configure execute find_runs measure read_rows read_run",
        "methods": "Method Rna SourceOnly check find_method methods parse_method",
        "data.sets.features": "FeatureSet Stored open_set",
        "data.sets.synthetic": "CLASSES KitchensConfig render_kitchens",
    }
    for folder, names in expected.items():
        assert importlib.import_module(f"egonorm.{folder}").__all__ == names.split(), folder


def test_shapes_are_checked_in_tests():
    with pytest.raises(jaxtyping.TypeCheckError):
        norms(torch.zeros(2, 3, 4))
