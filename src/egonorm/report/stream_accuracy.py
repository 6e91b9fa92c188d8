"""Figure 7a: how accurate each stream of the fused network is alone, without and with the method."""

from collections.abc import Sequence

from egonorm.report.exhibit import Exhibit
from egonorm.report.paper_figures import FIGURE_7A
from egonorm.report.sides import Question, compare_sides, metrics_of, names_of
from egonorm.report.source import Pair

_QUESTION = Question(
    name="streams",
    title="Each stream of the network, and their fusion",
    ylabel="Top-1 accuracy, %",
    paper=FIGURE_7A,
    about_paper="Open marks: the paper's Figure 7a, which does not say of which shifts it is the mean; its Source Only there "
    "(40.03) is neither that of Table 1 (41.87) nor that of Table 3 (40.93).",
    missing="The rows of these runs have no accuracies. Judge them anew: egonorm test RUN --domain DOMAIN.",
    about="Each stream's own logits in the network that was trained on all of them.",
)


def stream_accuracy(pairs: Sequence[Pair]) -> Exhibit:
    """Top-1 of each stream of the fused network and of their fusion, averaged over the pairs' shifts."""
    together = {name: "top1" for streams, name in names_of(pairs).items() if len(streams) > 1} if pairs else {}
    return compare_sides(pairs, metrics_of(pairs, "top1") | together, _QUESTION)
