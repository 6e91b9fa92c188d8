"""Floor 4: training and judging."""

from egonorm.core.training import Evaluation, Optim
from egonorm.training.engine import Objective, Predictions, judge, train_steps
from egonorm.training.runtime import Runtime, start_runtime

__all__ = ["Evaluation", "Objective", "Optim", "Predictions", "Runtime", "judge", "start_runtime", "train_steps"]
