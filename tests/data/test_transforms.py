"""Crops and flips: one draw a clip, the published places and sizes, and the centre at test."""

from dataclasses import replace
from random import Random

import pytest
import torch

from egonorm.core import DataError
from egonorm.data.manifest import Manifest
from egonorm.data.sets.folder import Folder
from egonorm.data.transforms import AudioInput, FeatureInput, Input, VideoInput
from egonorm.data.windows import Span


class Halves:
    """An input that forgot to say what of its pictures is read."""

    reads, varies = "pictures", False

    def augment(self, clip, random):
        return clip

    def to_inputs(self, batch):
        return batch


INPUT = VideoInput(Span(2, 2, 60.0), 256, 224)


def position_coded(height: int = 256, width: int = 456, num_frames: int = 2) -> torch.Tensor:
    """A window of frames whose red is the row and whose green is half the column."""
    rows = torch.arange(height).view(1, 1, -1, 1, 1).expand(1, num_frames, height, width, 1)
    columns = torch.arange(width).view(1, 1, 1, -1, 1).expand(1, num_frames, height, width, 1) // 2
    return torch.cat([rows, columns, torch.zeros_like(rows)], dim=4).to(torch.uint8)


def test_testing_takes_the_centre_without_resizing():
    view = INPUT.augment(position_coded(), None)
    assert view.shape == (1, 2, 224, 224, 3) and view.dtype == torch.uint8
    assert view[0, 0, :, 0, 0].tolist() == list(range(16, 240))
    assert view[0, 0, 0, 0, 1] == 116 // 2 and view[0, 0, 0, -1, 1] == 339 // 2


def test_training_draws_one_crop_and_one_flip_for_all_frames():
    frames = position_coded()
    for seed in range(20):
        view = INPUT.augment(frames, Random(seed))
        assert view.shape == (1, 2, 224, 224, 3)
        assert torch.equal(view[0, 0], view[0, 1])
        assert torch.equal(view, INPUT.augment(frames, Random(seed)))


def test_the_published_places_and_sizes_are_drawn_and_no_others():
    """Temporal Segment Networks: sizes 256, 224, 192, at most one scale apart; places in quarters of the free room."""
    draws = [INPUT._draw(256, 456, Random(seed)) for seed in range(7000)]
    drawn = set(draws)
    assert all(850 < sum(draw[2] == size for draw in draws) < 1150 for size in {draw[2] for draw in draws})
    sizes = {size for _, _, size in drawn}
    assert sizes == {(a, b) for a in (256, 224, 192) for b in (256, 224, 192) if {a, b} != {256, 192}}
    places = {(top, left) for top, left, size in drawn if size == (192, 192)}
    y, x = (256 - 192) // 4, (456 - 192) // 4
    fixed = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3)]
    assert places == {(a * y, b * x) for a, b in fixed}


def test_half_of_the_clips_are_flipped():
    frames = position_coded()
    flipped = [
        bool(v[0, 0, 0, 0, 1] > v[0, 0, 0, -1, 1]) for v in (INPUT.augment(frames, Random(seed)) for seed in range(200))
    ]
    assert 70 < sum(flipped) < 130


def test_a_flip_turns_displacements_to_the_right_into_displacements_to_the_left():
    flow = replace(INPUT, scales=(0.875,), displacement=True)
    pairs = position_coded()[..., :2]
    turned = 0
    for seed in range(40):
        plain, seen = replace(flow, displacement=False).augment(pairs, Random(seed)), flow.augment(pairs, Random(seed))
        flipped = bool(plain[0, 0, 0, 0, 1] > plain[0, 0, 0, -1, 1])
        turned += flipped
        assert torch.equal(seen[..., 0], 255 - plain[..., 0] if flipped else plain[..., 0])
        assert torch.equal(seen[..., 1], plain[..., 1])
    assert 0 < turned < 40
    assert torch.equal(flow.augment(pairs, None), replace(flow, displacement=False).augment(pairs, None))


def test_nothing_moves_the_same_before_and_after_a_flip():
    """127 and 128, the two bytes next to no displacement, change places."""
    still = torch.full((1, 2, 256, 456, 2), 128, dtype=torch.uint8)
    seen = [replace(INPUT, displacement=True).augment(still, Random(seed)) for seed in range(20)]
    assert {int(view[..., 0].unique()) for view in seen} == {127, 128} and all(
        (view[..., 1] == 128).all() for view in seen
    )


def test_displacements_have_two_channels():
    with pytest.raises(DataError, match=r"no displacements[\s\S]*3 channels[\s\S]*2: right and down"):
        replace(INPUT, displacement=True).augment(position_coded(), None)


@pytest.mark.parametrize("given", [INPUT, replace(INPUT, displacement=True), AudioInput(), FeatureInput(3), Halves()])
def test_every_input_keeps_the_protocol(given):
    assert isinstance(given, Input) and not isinstance(object(), Input)
    assert given.reads in ("pictures", "flow", "sound", "features")


@pytest.mark.parametrize(
    ("given", "modality", "message"),
    [
        (
            AudioInput(),
            "rgb",
            r"got: +AudioInput, which reads sound\n +expected: an input that reads pictures or flow, with span",
        ),
        (
            INPUT,
            "audio",
            r"got: +VideoInput, which reads pictures\n +expected: an input that reads sound, with spectrogram",
        ),
        (Halves(), "rgb", r"got: +Halves, which reads pictures without span and short_side\n"),
    ],
)
def test_a_data_set_says_which_inputs_it_can_show(tmp_path, given, modality, message):
    clips = Folder(tmp_path, Manifest((), ("cut",)))
    with pytest.raises(DataError, match=f"The stream {modality} cannot look at these data.(.|\n)*{message}"):
        clips.reader(modality, given)


@pytest.mark.parametrize("size", [0, -1, 1 << 25])
def test_a_feature_of_a_size_that_makes_no_sense_is_refused(size):
    with pytest.raises(DataError, match=rf"of this size(.|\n)*got: +{size}\n +expected: 1 to 16777216 numbers"):
        FeatureInput(size)
    assert FeatureInput(1 << 24).size == 1 << 24
