"""From a folder of runs to the page: with media and maps, where nothing can train, and from whatever is left of runs."""

import json
import re
import shutil
from dataclasses import replace

import pytest

from egonorm.core import RunError
from egonorm.methods import Rna
from egonorm.report.build import make_report
from egonorm.report.sections.saliency import _third
from egonorm.runs.run import Options, RunContext, execute
from egonorm.training.runtime import start_runtime
from programs import program
from small_runs import small_run
from stored_runs import plain_run, store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory, kitchens):
    """Source Only and RNA-Net, trained for a few steps."""
    out = tmp_path_factory.mktemp("trained") / "runs"
    first = small_run(kitchens)
    with start_runtime("cpu") as runtime:
        for run in (first, replace(first, method=Rna())):
            execute(RunContext(run, out / run.name, runtime, Options(quiet=True)))
    return out


@pytest.fixture
def runs(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def warnings(page):
    return re.findall(r'role="note"><strong>[^<]*</strong> ([^<]*)', page.read_text())


def test_a_page_where_nothing_can_train(runs, tmp_path, without_training):
    said = program(without_training, "-m", "egonorm", "report", runs, "--out", tmp_path / "page", "--clips", "1")
    page = tmp_path / "page" / "index.html"
    assert str(page) in said and " MB" in said
    text = page.read_text()
    assert "RNA-Net against Source Only" in text and text.count("data:video/mp4") >= 2
    places = re.findall(r'<li><a href="#([^"]*look-[^"]*)"', text)
    assert places and all(f'id="{place}"' in text for place in places)
    pictures = list((tmp_path / "page" / "figures").glob("*cam*.jpg"))
    assert len(pictures) == text.count('class="drawing" src="data:image/jpeg') and pictures
    assert [warning for warning in warnings(page) if "bench paper.figure5" not in warning] == []
    program(
        without_training,
        "-m",
        "egonorm",
        "cam",
        next(runs.glob("rna*")),
        "--clip",
        "D2_test_00_0",
        "--out",
        tmp_path / "a.svg",
    )
    assert "<svg" in (tmp_path / "a.svg").read_text()


def forget_data(runs):
    """The runs with data that are gone, in folders of other names: a configuration must be that of its folder's digits."""
    for number, config in enumerate(sorted(runs.glob("*/config.json"))):
        config.write_text(json.dumps(json.loads(config.read_text()) | {"data": "kitchens:/gone"}))
        config.parent.rename(runs / f"run {number}")


def test_saved_clips_do_without_the_data(runs, tmp_path):
    make_report(runs, tmp_path / "first", clips=1)
    forget_data(runs)
    page = make_report(runs, tmp_path / "second", clips=1)
    assert (
        page.read_text().count("data:video/mp4")
        == (tmp_path / "first" / "index.html").read_text().count("data:video/mp4")
        > 0
    )


def test_data_that_are_gone_are_told(runs, tmp_path):
    forget_data(runs)
    page = make_report(runs, tmp_path / "page", clips=1)
    assert (
        any("/gone is not a folder" in warning for warning in warnings(page))
        and "data:video/mp4" not in page.read_text()
    )


@pytest.mark.parametrize("what", ["predictions", "checkpoints", "train.jsonl", "environment.json"])
def test_a_page_of_partial_runs_says_what_is_missing(runs, tmp_path, what):
    for path in runs.glob(f"*/{what}"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = make_report(runs, tmp_path / "page", clips=1)
    told = " ".join(warnings(page))
    expected = {
        "predictions": "egonorm test RUN --domain D2",
        "checkpoints": "has no network of step",
        "train.jsonl": "logs of these runs",
        "environment.json": "",
    }
    assert expected[what] in told and "RNA-Net" in page.read_text()


def test_broken_files_are_no_end(runs, tmp_path):
    for path in (*runs.glob("rna*/predictions/*"), *runs.glob("*/environment.json"), *runs.glob("*/train.jsonl")):
        path.write_bytes(b"\x00nonsense")
    (runs / "half").mkdir()
    (runs / "half" / "config.json").write_text("{")
    told = " ".join(warnings(make_report(runs, tmp_path / "page", clips=1)))
    assert "cannot be read" in told and "half" in told


def test_one_method_one_modality_and_no_seeds_in_common(tmp_path):
    store(tmp_path / "one", plain_run(), {"D2": [[1, 0, 1]]})
    page = make_report(tmp_path / "one", tmp_path / "a")
    assert "compares nothing" in " ".join(warnings(page))
    for method, seed in ((None, 0), (Rna(), 1)):
        store(tmp_path / "two", plain_run(method=method, seed=seed), {"D2": [[1, 0, 1]]})
    assert "compares nothing" in " ".join(warnings(make_report(tmp_path / "two", tmp_path / "b")))


def test_refusals(tmp_path):
    store(tmp_path / "runs", plain_run(), {"D2": [[1, 0, 1]]})
    with pytest.raises(RunError, match=r"no complete run of 'hna'(.|\n)*a method beside source-only"):
        make_report(tmp_path / "runs", tmp_path / "page", "hna")
    with pytest.raises(RunError, match="holds no runs"):
        make_report(tmp_path / "nothing", tmp_path / "page")
    with pytest.raises(RunError, match="cannot be compared with itself"):
        make_report(tmp_path / "runs", tmp_path / "page", "source-only")


def test_a_folder_that_is_no_report_is_refused_before_anything_is_saved(runs):
    with pytest.raises(RunError, match="is no report"):
        make_report(runs, runs)
    assert not list(runs.glob("*/clips"))


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "m"), (2, "fl"), (3, "fml"), (4, "fmml"), (7, "ffmmmll")], ids=lambda x: str(x)
)
def test_a_cell_is_where_its_middle_is(number, expected):
    assert "".join(_third(k, number)[0] for k in range(number)) == expected
