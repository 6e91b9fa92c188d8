"""Which checkpoints speak for a run: named functions of its rows. Nothing is selected while training."""

from collections.abc import Callable, Sequence

from egonorm.core import RunError, Setting
from egonorm.runs.results import COMPLETE, Row

Selector = Callable[[Sequence[Row]], tuple[int, ...]]
"""From the rows of one complete run to the steps whose measurements are averaged."""


def last_mean(k: int) -> Selector:
    """The last `k` checkpoints, whose accuracies are averaged: the paper's protocol with 9 (Section 5.1)."""
    return lambda rows: steps(rows)[-k:]


def last(rows: Sequence[Row]) -> tuple[int, ...]:
    """The last checkpoint."""
    return steps(rows)[-1:]


def best_on_source(rows: Sequence[Row]) -> tuple[int, ...]:
    """The checkpoint with the best mean accuracy on the sources' test clips: the honest choice when the target is unknown."""
    return _best(rows, Setting.parse(rows[0].setting).sources)


def oracle(rows: Sequence[Row]) -> tuple[int, ...]:
    """The checkpoint that is best on the very target it is judged on: an upper bound, never a result."""
    return _best(rows, (Setting.parse(rows[0].setting).target,))


def parse_selector(text: str) -> Selector:
    """The selector of a name: `last-mean:9`, `last`, `best-on-source` or `oracle`."""
    plain = {"last": last, "best-on-source": best_on_source, "oracle": oracle}
    name, _, count = text.partition(":")
    if text in plain:
        return plain[text]
    if name == "last-mean" and count.isdecimal() and int(count) > 0:
        return last_mean(int(count))
    raise RunError(
        f"There is no selection {text!r}.",
        got=text,
        expected=f"last-mean:K, {', '.join(plain)}",
        remedy="Write for example --select last-mean:9.",
    )


def steps(rows: Sequence[Row]) -> tuple[int, ...]:
    """The steps that were measured, in order."""
    return tuple(sorted({row.step for row in rows if row.metric != COMPLETE}))


def _best(rows: Sequence[Row], domains: tuple[str, ...]) -> tuple[int, ...]:
    found = [row for row in rows if row.metric == "top1" and row.domain in domains and row.split == "test"]
    if {row.domain for row in found} != set(domains):
        raise RunError(
            f"{rows[0].run} was not judged on {', '.join(domains)}.",
            got=", ".join(sorted({row.domain for row in rows if row.metric != COMPLETE})) or "none",
            expected="test clips of each of these domains",
            remedy="Measure them with egonorm test RUN --domain, or select otherwise.",
        )
    totals = {step: sum(row.value for row in found if row.step == step) for step in steps(found)}
    return (max(totals, key=lambda step: (totals[step], step)),)
