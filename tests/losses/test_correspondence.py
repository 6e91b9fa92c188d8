"""Mixed pairs."""

import pytest
import torch
from test_arguments import plain

from egonorm.core.errors import ArgumentError
from egonorm.losses import correspondence, mix_up_half
from refusals import refused


def test_half_of_the_clips_get_the_second_modality_of_the_next():
    """MM-SADA batch_generator.py: `variate_sample_flow[1:] + variate_sample_flow[:1]` of the second half."""
    clips = torch.arange(8.0).unsqueeze(1)
    mixed, paired = mix_up_half({"rgb": clips, "flow": clips, "audio": clips})
    assert mixed["rgb"].flatten().tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert mixed["flow"].flatten().tolist() == [0, 1, 2, 3, 5, 6, 7, 4]
    assert mixed["audio"].flatten().tolist() == [0, 1, 2, 3, 6, 7, 4, 5]
    assert paired.tolist() == [True] * 4 + [False] * 4
    pairs = torch.arange(16.0).view(8, 2)
    assert mix_up_half({"a": pairs, "b": pairs})[0]["b"][:, 1].tolist() == [1, 3, 5, 7, 11, 13, 15, 9]
    assert mix_up_half({"a": clips[:3], "b": clips[:3]})[0]["b"].flatten().tolist() == [0, 2, 1]


def test_there_must_be_another_clip_and_another_modality():
    told = "Pairs of so few clips cannot be mixed up."
    with refused(ArgumentError, told, "clips: 2", "three or more", "Give a larger batch."):
        mix_up_half({name: torch.zeros(2, 2) for name in "ab"})
    with pytest.raises(ArgumentError, match="two modalities or more"):
        mix_up_half({"a": torch.zeros(8, 2)})
    with pytest.raises(ArgumentError, match="clips: a: 4, b: 3"):
        plain(correspondence).mix_up_half({"a": torch.zeros(4, 2), "b": torch.zeros(3, 2)})
