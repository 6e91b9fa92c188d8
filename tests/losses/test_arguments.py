"""What somebody's own loop may give a loss that is no features per modality, and in which words it is told."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
import torch

from egonorm.core.errors import ArgumentError
from egonorm.losses import arguments, cosine_distance, divergence, hard_norm_alignment, norm, squared_cosine
from refusals import refused

FEATURES = "a mapping from modality to a tensor of floating numbers, shape (clip feature), with the same clips in all"
ROWS = "Give one row a clip, before dropout: view.features of a network of egonorm."


def plain(module):
    """The module as a user has it: the checks of types that conftest.py adds would refuse before it does."""
    loader = SourceFileLoader(module.__name__, module.__file__)
    found = module_from_spec(spec_from_loader(loader.name, loader))
    loader.exec_module(found)
    return found


def clips(*counts: int, size: int = 3) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(count, size) for name, count in zip(("rgb", "audio", "flow"), counts, strict=False)}


@pytest.mark.parametrize(
    ("features", "options", "got", "expected", "remedy"),
    [
        (
            [torch.zeros(2, 3)],
            {},
            "list",
            FEATURES,
            "Give view.features, or a dictionary such as {'rgb': x, 'audio': y}.",
        ),
        ({}, {}, "none", "one modality or more", "Add a modality, or leave this loss out."),
        ({}, {"fewest": 2}, "none", "two modalities or more", "Add a modality, or leave this loss out."),
        (clips(2), {"fewest": 2}, "rgb", "two modalities or more", "Add a modality, or leave this loss out."),
        (clips(2) | {"audio": 1.5}, {}, "audio: float", FEATURES, "Give the features of audio as a torch.Tensor."),
        ({"rgb": torch.zeros(2)}, {}, "rgb: shape (2,) of float32", FEATURES, ROWS),
        ({"rgb": torch.zeros(2, 3, 1)}, {}, "rgb: shape (2, 3, 1) of float32", FEATURES, ROWS),
        ({"rgb": torch.zeros(2, 3).long()}, {}, "rgb: shape (2, 3) of int64", FEATURES, ROWS),
        (clips(0), {}, "rgb: no clips", "one clip or more", "Leave an empty batch out."),
        (
            clips(2, 3),
            {},
            "clips: rgb: 2, audio: 3",
            "the same number of clips in all modalities",
            "Give features of the same batch.",
        ),
        (
            clips(2) | {"audio": torch.zeros(2, 4)},
            {"equal_sizes": True},
            "numbers a feature: rgb: 3, audio: 4",
            "the same number of numbers a feature in all modalities",
            "Give features of the same batch.",
        ),
    ],
)
def test_what_is_no_features_is_refused(features, options, got, expected, remedy):
    with refused(ArgumentError, "The features cannot be used.", got, expected, remedy):
        plain(arguments).check_features(features, **options)


@pytest.mark.parametrize(
    ("features", "options"),
    [
        (clips(2), {}),
        (clips(2) | {"audio": torch.zeros(2, 4)}, {"fewest": 2}),
        (clips(2, 2, 2), {"fewest": 2, "equal_sizes": True}),
        ({"rgb": torch.zeros(2, 3).half()}, {}),
        (clips(2, 3), {"same_clips": False}),
    ],
)
def test_features_are_taken(features, options):
    plain(arguments).check_features(features, **options)


@pytest.mark.parametrize("loss", [cosine_distance, squared_cosine])
def test_an_angle_is_between_features_of_one_size(loss):
    with refused(
        ArgumentError,
        "The features cannot be used.",
        "numbers a feature: rgb: 3, audio: 4",
        "the same number of numbers a feature in all modalities",
        "Give features of the same batch.",
    ):
        loss(clips(2) | {"audio": torch.zeros(2, 4)})


def test_hard_alignment_needs_a_modality():
    with refused(
        ArgumentError,
        "The features cannot be used.",
        "none",
        "one modality or more",
        "Add a modality, or leave this loss out.",
    ):
        hard_norm_alignment({}, 1.0)


@pytest.mark.parametrize(
    ("name", "choices"), [("numerator", "second or first"), ("form", "ratio_of_means or mean_of_ratios")]
)
def test_a_word_that_is_no_choice_is_refused(name, choices):
    with refused(ArgumentError, f"{name} cannot be used.", "third", choices, f"Give one of these as {name}."):
        plain(norm).relative_norm_alignment(clips(2, 2), **{name: "third"})


@pytest.mark.parametrize("radius", ["11", None, -1.0, float("nan"), float("inf")])
def test_a_radius_is_a_length(radius):
    told = "radius cannot be used."
    with refused(ArgumentError, told, repr(radius), "a finite number, 0 or greater", "Give such a number as radius."):
        plain(norm).hard_norm_alignment(clips(2, 2), radius)


@pytest.mark.parametrize("features", [torch.zeros(3), {"rgb": torch.zeros(2, 3)}, 3, torch.zeros(2, 3).long()])
def test_norms_are_those_of_features(features):
    found = plain(norm)
    found.check_features = plain(arguments).check_features
    with pytest.raises(ArgumentError, match=r"The features cannot be used\.\n  got:      features: "):
        found.norms(features)


def test_a_discrepancy_is_between_features_of_one_size_in_some_bandwidths():
    first, second = torch.zeros(2, 3), torch.zeros(4, 3)
    mmd = plain(divergence).squared_mmd
    assert float(mmd(first, second)) == 0.0
    with pytest.raises(ArgumentError, match="numbers a feature: first: 3, second: 5"):
        mmd(first, torch.zeros(2, 5))
    for bandwidths in ((), 1.0, None):
        with pytest.raises(ArgumentError, match=r"bandwidths cannot be used(.|\n)*a sequence of numbers"):
            mmd(first, second, bandwidths)
    for bandwidth in (0.0, -1.0, float("nan"), "x"):
        with pytest.raises(ArgumentError, match=r"a bandwidth cannot be used(.|\n)*greater than 0"):
            mmd(first, second, (1.0, bandwidth))
