"""The nouns refuse parts of different lengths."""

import pytest
import torch
from jaxtyping import TypeCheckError

from egonorm.core import Batch, View


def test_a_batch_needs_one_length():
    with pytest.raises(ValueError, match=r"one length for all its parts; got \{'uids': 2, 'rgb': 3\}"):
        Batch("D1", ("a", "b"), {"rgb": torch.zeros(3, 1)}, None)
    with pytest.raises(ValueError, match="'labels': 1"):
        Batch("D1", ("a", "b"), {"rgb": torch.zeros(2, 1)}, torch.zeros(1, dtype=torch.long))


def test_a_view_needs_one_length():
    with pytest.raises((ValueError, TypeCheckError)):
        View("D1", {"rgb": torch.zeros(2, 4)}, torch.zeros(2, 8), torch.zeros(3, dtype=torch.long))


def test_rows_of_a_batch():
    batch = Batch("D1", ("a", "b", "c"), {"rgb": torch.arange(3.0)}, torch.tensor([0, 1, 2]))
    part = batch.rows(1, 3)
    assert part.uids == ("b", "c") and part.labels.tolist() == [1, 2] and part.inputs["rgb"].tolist() == [1, 2]
