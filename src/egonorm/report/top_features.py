"""Figure 7b: how much of a feature's norm its largest numbers make, without and with the method."""

from collections.abc import Sequence

from egonorm.report.exhibit import Exhibit
from egonorm.report.paper_figures import FIGURE_7B
from egonorm.report.sides import Question, compare_sides, metrics_of
from egonorm.report.source import Pair

_QUESTION = Question(
    name="top-features",
    title="Norm in a feature's largest numbers",
    ylabel="Share of the norm, %",
    paper=FIGURE_7B,
    about_paper="Open marks: the paper's Figure 7b, which names neither the shifts nor how the share is formed; which of its "
    "four numbers is whose is inferred from their order and its words (RGB 63.35 to 61.57, audio 72.01 to 87.75).",
    missing="These runs were judged before this share was measured. Judge them anew: egonorm test RUN --domain DOMAIN.",
    about="The L2 norm of the largest 29 % of a feature's numbers by magnitude (300 of 1024, as in the paper) over that of all "
    "of them, the mean over windows and test clips. Were all numbers equal it would be 54 %.",
    is_accuracy=False,
)


def top_features(pairs: Sequence[Pair]) -> Exhibit:
    """The share of each stream's feature norm that its largest numbers make, averaged over the pairs' shifts."""
    return compare_sides(pairs, metrics_of(pairs, "norm_share"), _QUESTION)
