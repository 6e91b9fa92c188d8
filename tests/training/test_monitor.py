"""What is noted of a step: norms and accuracies of the clips that were trained on, by domain and by class."""

import pytest
import torch

from egonorm.core import View
from egonorm.training.engine import of_classes, of_domains, step_stats, to_cpu

CLASSES = ("cut", "put", "take")
RGB = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0], [0.0, 3.0]])
LOGITS = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])


@pytest.fixture
def seen():
    features = {"rgb": RGB.clone().requires_grad_(), "imu": 2 * RGB[:, :1]}
    labelled = View("D1", features, LOGITS, torch.tensor([0, 0, 1, 2]))
    return step_stats(labelled), step_stats(View("D2", {"rgb": RGB, "imu": RGB}, LOGITS, None))


def test_norms_of_every_domain_and_the_accuracy_of_those_with_labels(seen):
    assert of_domains(seen) == {
        "norms": {"D1/rgb": 4.75, "D1/imu": 4.5, "D2/rgb": 4.75, "D2/imu": 4.75},
        "accuracy": {"D1": 75.0},
    }


def test_classes_that_have_clips(seen):
    assert of_classes(seen, CLASSES) == {
        "D1": {
            "cut": {"n": 2, "accuracy": 50.0, "norms": {"rgb": 3.0, "imu": 3.0}},
            "put": {"n": 1, "accuracy": 100.0, "norms": {"rgb": 10.0, "imu": 12.0}},
            "take": {"n": 1, "accuracy": 100.0, "norms": {"rgb": 3.0, "imu": 0.0}},
        }
    }
    alone = step_stats(View("D1", {"rgb": RGB[:2]}, LOGITS[:2], torch.tensor([2, 2])))
    assert of_classes([alone], CLASSES) == {"D1": {"take": {"n": 2, "accuracy": 0.0, "norms": {"rgb": 3.0}}}}


def test_what_is_fetched_is_the_same_in_one_piece_and_without_gradients(seen):
    found = to_cpu(seen)
    assert of_domains(found) == of_domains(seen) and of_classes(found, CLASSES) == of_classes(seen, CLASSES)
    assert found[1].labels is None and not any(x.requires_grad for x in found[0].norms.values())
    assert found[0].hits.dtype == torch.bool and found[0].labels.dtype == torch.int64
