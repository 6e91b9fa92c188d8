"""Floor 4: training and judging."""

from egonorm.core.training import Evaluation, Optim
from egonorm.train.evaluate import Predictions, judge
from egonorm.train.loop import train
from egonorm.train.objective import Objective
from egonorm.train.runtime import Runtime, start_runtime

__all__ = ["Evaluation", "Objective", "Optim", "Predictions", "Runtime", "judge", "start_runtime", "train"]
