"""One folder, every view: table, CSV, LaTeX, comparison with the paper and page print the same numbers for the same thing."""

import csv
import io
import re

import pytest

from egonorm.aggregate.aggregate import Aggregates
from egonorm.aggregate.paper_comparison import against_paper
from egonorm.aggregate.table import render_table, summarise
from egonorm.methods import Rna, SourceOnly
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.hna import Hna
from egonorm.methods.ss import Ss
from egonorm.report.build import make_report
from egonorm.runs.results import find_runs, last_mean, read_records
from egonorm.sweeps.paper import display_name
from stored_runs import drawn_hits, plain_run, store

pytestmark = pytest.mark.slow
SIZES = {"D1": 40, "D2": 60, "D3": 50}
ACCURACY = {"source-only": 0.35, "rna": 0.6, "align-only": 0.5, "hna": 0.45, "ss": 0.42}
SETTINGS = {
    "dg1": [f"dg1:{s}:{t}" for s in SIZES for t in SIZES if s != t],
    "dgn": ["dgn:D1+D2:D3", "dgn:D1+D3:D2", "dgn:D2+D3:D1"],
}
SEEDS = (0, 1, 2)
PAPER_NAMES = {"rna": "RNA-Net", "align-only": "Align. Only", "hna": "HNA", "ss": "SS"}
FIELDS = ("top1", "sd", "low", "high", "n", "seeds", "gain", "gain low", "gain high", "p")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two families, four methods and three seeds; a fifth method has one of these seeds and another one, in one shift alone."""
    out = tmp_path_factory.mktemp("sweep") / "runs"
    runs = [
        plain_run(setting, method, seed)
        for settings in SETTINGS.values()
        for k, setting in enumerate(settings)
        for method in (SourceOnly(), Rna(), AlignOnly(), Hna(7.0 + k))
        for seed in SEEDS
    ]
    runs += [plain_run("dg1:D1:D2", Ss(), seed) for seed in (2, 5)]
    for run in runs:
        share = ACCURACY[run.method.name()]
        store(out, run, {d: drawn_hits(run, d, SIZES[d], share) for d in run.setting.domains})
    return out


@pytest.fixture(scope="module")
def page(sweep):
    """The page's folder."""
    make_report(sweep, sweep.parent / "page", clips=0)
    return sweep.parent / "page"


def number(text):
    return None if text == "" else float(text)


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def arrow(setting, domain):
    return f"{setting.split(':')[1]} → {domain}"


def of_table(sweep):
    """By family, method and shift: the numbers of `egonorm table` as CSV, on the settings' targets."""
    rows = read_csv(render_table(summarise(find_runs(sweep), last_mean(9), "last-mean:9"), "csv"))
    names = (
        "top-1 fused",
        "top-1 fused sd",
        "top-1 fused low",
        "top-1 fused high",
        "n",
        "seeds",
        "gain",
        "gain low",
        "gain high",
        "p",
    )
    return {
        (row["setting"].split(":")[0], row["method"], arrow(row["setting"], row["tested on"])): {
            field: number(row[name]) for field, name in zip(FIELDS, names, strict=True)
        }
        for row in rows
        if row["tested on"] == row["setting"].split(":")[2]
    }


def of_page(page):
    """The same, and the means, from the page's data."""
    names = ("top1", "sd over seeds", "low", "high", "n", "seeds", "gain", "gain low", "gain high", "p")
    methods = {display_name(method): method for method in ACCURACY}
    found = {}
    for family in SETTINGS:
        for row in read_csv((page / "data" / f"results-{family}.csv").read_text()):
            numbers = {field: row[name] for field, name in zip(FIELDS, names, strict=True)}
            numbers["seeds"] = len(row["seeds"].split())
            found[family, methods[row["method"]], row["shift"]] = {k: number(v) for k, v in numbers.items()}
    return found


def of_paper_comparison(sweep):
    """The same from `egonorm table --against paper`; a number may stand in several of the paper's tables."""
    rows = read_csv(render_table(against_paper(find_runs(sweep), last_mean(9), "last-mean:9"), "csv"))
    names = ("ours", "ours sd", "ours low", "ours high", "n", "seeds", "gain", "gain low", "gain high", "p")
    families = {
        "single-source DG": "dg1",
        "Single-DG": "dg1",
        "source-only": "dg1",
        "multi-source DG": "dgn",
        "Multi-DG": "dgn",
    }
    methods = {name: method for method, name in PAPER_NAMES.items()}
    methods |= dict.fromkeys(("Source Only", "Deep All", "Baseline", "RGB+Audio"), "source-only")
    found = {}
    for row in rows:
        if row["setting"] in families and row["ours"]:
            shift = "mean" if row["shift"] == "Mean" else row["shift"].replace(",", "+").replace("->", " → ")
            key = families[row["setting"]], methods[row["system"]], shift
            found.setdefault(key, []).append({f: number(row[name]) for f, name in zip(FIELDS, names, strict=True)})
    return found


def test_table_page_and_paper_comparison_have_the_same_numbers(sweep, page):
    table, shown, compared = of_table(sweep), of_page(page), of_paper_comparison(sweep)
    assert len(table) == 4 * 6 + 4 * 3 + 1 and table == {key: shown[key] for key in table}
    assert {key for key in shown if key not in table} == {
        (family, m, "mean") for family in SETTINGS for m in ACCURACY if m != "ss"
    }
    printed = [(key, numbers) for key, several in compared.items() for numbers in several]
    assert len(printed) > 40 and {key[0] for key, _ in printed} == set(SETTINGS)
    for key, numbers in printed:
        assert numbers == shown[key], key
    tested = {key for key, numbers in shown.items() if numbers["p"] is not None}
    assert tested == {key for key in shown if key[1] != "source-only"}


def test_every_view_says_of_which_family_a_p_is(sweep, page):
    words = "dg1 19, dg1 means 3, dgn 9, dgn means 3"
    table = summarise(find_runs(sweep), last_mean(9), "last-mean:9").caption
    assert "dg1 19, dgn 9." in table and "dg1 means" not in table
    assert words in against_paper(find_runs(sweep), last_mean(9), "last-mean:9").caption
    text = (page / "index.html").read_text()
    assert "dg1 19, dg1 means 3." in text and "dgn 9, dgn means 3." in text


def test_a_seed_of_one_side_alone_does_not_count_in_any_view(sweep, page):
    aggregates = Aggregates(read_records(find_runs(sweep), last_mean(9))[0])
    (ss,) = (one for one in aggregates.in_shifts() if one.group.method == "ss" and one.gain)
    assert ss.seeds == (2, 5) and ss.gain.seeds == (2,) and ss.gain.unmatched == (0, 1, 5)
    (row,) = (r for r in read_csv((page / "data" / "results-dg1.csv").read_text()) if r["method"] == display_name("ss"))
    assert (row["seeds"], row["gain seeds"]) == ("2 5", "2") and float(row["gain"]) == ss.gain.mean
    remarks = [
        row["remark"]
        for row in read_csv(render_table(against_paper(find_runs(sweep), last_mean(9), ""), "csv"))
        if row["system"] == "SS" and row["shift"] == "D1->D2" and row["ours"]
    ]
    assert remarks == ["gain on seeds 2"]


def test_text_latex_and_page_print_what_the_csv_holds(sweep, page):
    table = summarise(find_runs(sweep), last_mean(9), "last-mean:9")
    text, latex = render_table(table, "text"), render_table(table, "latex")
    html = re.sub(r"<[^>]+>", " ", (page / "index.html").read_text())
    for (_, method, shift), of in of_table(sweep).items():
        top1 = f"{of['top1']:.1f} ± {of['sd']:.1f} [{of['low']:.0f}, {of['high']:.0f}]"
        assert top1 in text and top1.replace("±", r"$\pm$") in latex
        assert f"{of['top1']:.1f} ± {of['sd']:.1f}" in html
        if of["p"] is not None:
            gain = f"[{of['gain low']:+z.1f}, {of['gain high']:+z.1f}]"
            for line in (text, latex):
                (row,) = (
                    row
                    for row in line.splitlines()
                    if row.lstrip().startswith(method) and gain in row and top1.split(" ±")[0] in row
                )
                assert f"{of['p']:.2g}" in row and shift.split(" → ")[1] in row
            assert f"gain {of['gain']:+z.1f} {gain}, p {of['p']:.2g}" in html
