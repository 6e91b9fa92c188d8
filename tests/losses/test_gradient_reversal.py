"""Gradient reversal and mixed pairs."""

import pytest
import torch

from egonorm.losses import mix_up_half, reverse_gradient


def test_forward_is_the_identity_and_backward_the_negative():
    x = torch.randn(3, 2, requires_grad=True)
    y = reverse_gradient(x, 0.25)
    torch.testing.assert_close(y, x)
    (y * torch.arange(6.0).view(3, 2)).sum().backward()
    torch.testing.assert_close(x.grad, -0.25 * torch.arange(6.0).view(3, 2))


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


@pytest.mark.parametrize(("count", "names"), [(2, "ab"), (8, "a")])
def test_there_must_be_another_clip_and_another_modality(count, names):
    with pytest.raises(ValueError, match=rf"two modalities and three clips; got {len(names)} and {count}"):
        mix_up_half({name: torch.zeros(count, 2) for name in names})
