"""What each stream gives alone: its accuracy, and how much of its norm the largest features make."""

from collections.abc import Sequence
from dataclasses import replace

from egonorm.report.data.paper import FIGURE_7A, FIGURE_7B
from egonorm.report.data.runs import Comparison, chance_of
from egonorm.report.figures.bars import Question, compare_sides, metrics_of, names_of
from egonorm.report.style import Exhibit

_ASKED_OF_FEATURES = Question(
    name="top-features",
    title="Norm in a feature's largest numbers",
    ylabel="Share of the norm, %",
    paper=FIGURE_7B,
    about_paper="Open marks: the paper's Figure 7b, which names neither the shifts nor how the share is formed; which of its "
    "four numbers is whose is inferred from their order and its words (RGB 63.35 to 61.57, audio 72.01 to 87.75).",
    missing="These runs were judged before this share was measured. Judge them anew: egonorm test RUN --domain DOMAIN.",
    about="The L2 norm of the largest 29 % of a feature's numbers by magnitude (300 of 1024, as in the paper) over that of all "
    "of them, the mean over windows and test clips. Were all numbers equal it would be 54 %.",
)


def top_features(comparisons: Sequence[Comparison]) -> Exhibit:
    """The share of each stream's feature norm that its largest numbers make, averaged over the comparisons' shifts."""
    return compare_sides(comparisons, metrics_of(comparisons, "norm_share"), _ASKED_OF_FEATURES)


_ASKED_OF_STREAMS = Question(
    name="streams",
    title="Each stream of the network, and their fusion",
    ylabel="Top-1 accuracy, %",
    paper=FIGURE_7A,
    about_paper="Open marks: the paper's Figure 7a, which does not say of which shifts it is the mean; its Source Only there "
    "(40.03) is neither that of Table 1 (41.87) nor that of Table 3 (40.93).",
    missing="The rows of these runs have no accuracies. Judge them anew: egonorm test RUN --domain DOMAIN.",
    about="Each stream's own logits in the network that was trained on all of them.",
)


def stream_accuracy(comparisons: Sequence[Comparison]) -> Exhibit:
    """Top-1 of each stream of the fused network and of their fusion, averaged over the comparisons' shifts."""
    together = (
        {name: "top1" for streams, name in names_of(comparisons).items() if len(streams) > 1} if comparisons else {}
    )
    drawn = compare_sides(comparisons, metrics_of(comparisons, "top1") | together, _ASKED_OF_STREAMS)
    found = {one.shift.title: chance_of([one]) for one in comparisons}
    told = ", ".join(f"{title} {value:.1f} %" for title, value in found.items() if value is not None)
    return replace(drawn, caption=f"{drawn.caption} Chance, one answer for all clips: {told}.") if told else drawn
