"""Floor 6: tables, figures and the page, from rows, predictions and saved clips alone."""

from egonorm.report.cam import cam_figure
from egonorm.report.compose import compose
from egonorm.report.exhibit import Exhibit
from egonorm.report.norm_histograms import norm_histograms
from egonorm.report.page import write_page
from egonorm.report.single_and_multiple import single_and_multiple
from egonorm.report.source import read_source
from egonorm.report.stream_accuracy import stream_accuracy
from egonorm.report.top_features import top_features
from egonorm.report.training_by_class import training_by_class
from egonorm.report.training_curves import training_curves

__all__ = [
    "Exhibit",
    "cam_figure",
    "compose",
    "norm_histograms",
    "read_source",
    "single_and_multiple",
    "stream_accuracy",
    "top_features",
    "training_by_class",
    "training_curves",
    "write_page",
]
