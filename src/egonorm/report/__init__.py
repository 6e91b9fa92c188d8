"""Floor 6: tables, figures and the page, from rows, predictions and saved clips alone."""

from egonorm.report.build import compose
from egonorm.report.data.runs import read_report_data
from egonorm.report.figures.by_class import training_by_class
from egonorm.report.figures.curves import training_curves
from egonorm.report.figures.modalities import single_and_multiple
from egonorm.report.figures.norm_histograms import norm_histograms
from egonorm.report.figures.saliency import cam_figure
from egonorm.report.figures.stream_metrics import stream_accuracy, top_features
from egonorm.report.page.write import write_page
from egonorm.report.style import Exhibit

__all__ = [
    "Exhibit",
    "cam_figure",
    "compose",
    "norm_histograms",
    "read_report_data",
    "single_and_multiple",
    "stream_accuracy",
    "top_features",
    "training_by_class",
    "training_curves",
    "write_page",
]
