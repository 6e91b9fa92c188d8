"""The machinery of the benchmarks, on cases that take no time: alternation, the table, what is skipped, the check."""

import ast
import json
import math
import subprocess
import time
from pathlib import Path

import pytest
import torch

import benchmarks.__main__ as program
from benchmarks import limit
from benchmarks.case import Bench, Case
from benchmarks.check import TOLERANCE, fallen
from benchmarks.families.commands import write_features
from benchmarks.limit import Product, flops_of, need_bfloat16
from benchmarks.media import BYTES, FPS, MINUTES, NAME, encode_pictures, picture_name
from benchmarks.others import Usage, Watch
from benchmarks.ours import SPAN, manifest
from benchmarks.peers import Peers, load_file, load_modules
from benchmarks.record import SECONDS, Record, Skip, Skipped, Spread, at_least, at_most
from benchmarks.results import Results, read_results, render, write_results
from benchmarks.timing import alternate, alternate_commands, ratio, told
from egonorm.data.sets import open_clip_set


def record(name: str, value: float, goal=None, unit="times") -> Record:
    return Record(name, f"the case {name}", Spread(value, value - 0.1, value + 0.1), goal, unit, "ours 1 s")


@pytest.mark.slow
def test_the_repetitions_alternate_after_a_warm_up():
    calls = []
    times = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert "".join(calls) == "ab" + "ababab"
    assert [len(t) for t in times.values()] == [3, 3]


def test_ratios_are_taken_repetition_by_repetition():
    times = {"peer": [2.0, 6.0, 4.0], "ours": [1.0, 2.0, 4.0]}
    assert ratio(times, "peer", "ours") == Spread(2.0, 1.0, 3.0)
    assert ratio(times, "peer", "ours", 10) == Spread(20.0, 10.0, 30.0)
    assert told(times, parts=2, unit="ms") == "peer 2e+03 ms, ours 1e+03 ms"


def test_whole_processes_alternate_and_must_succeed():
    assert alternate_commands({"sleep": ["sleep", "0.05"]}, 2)["sleep"][0] > 0.05
    with pytest.raises(subprocess.CalledProcessError):
        alternate_commands({"no": ["false"]}, 1)


def test_goals_bound_from_both_sides():
    assert [record("a", x, at_least(3)).met for x in (2.9, 3, 3.1)] == [False, True, True]
    assert [record("a", x, at_most(3)).met for x in (2.9, 3, 3.1)] == [True, True, False]
    assert record("a", 1).met is None


@pytest.mark.slow
def test_flops_are_those_of_the_product():
    product = Product(torch.zeros(3, 4), torch.zeros(4, 5))
    assert flops_of(product) == product.flops == 2 * 3 * 4 * 5


def test_the_check_compares_ratios_and_their_direction():
    stored = [record("up", 3, at_least(2)), record("down", 1, at_most(2)), record("help", 0.1, at_most(1), SECONDS)]
    worse = [record("up", 2, at_least(2)), record("down", 2, at_most(2)), record("help", 9, at_most(1), SECONDS)]
    assert [fall.now.name for fall in fallen(worse, stored)] == ["up", "down"]
    assert "up: 2, and 3 is stored (ours 1 s)" in str(fallen(worse, stored)[0])
    assert not fallen(stored, stored)
    assert not fallen([record("new", 0.1)], stored)
    better = [record("up", 9, at_least(2)), record("down", 0.1, at_most(2))]
    assert not fallen(better, stored)


@pytest.mark.parametrize(("value", "falls"), [(1 - TOLERANCE + 0.01, False), (1 - TOLERANCE - 0.01, True)])
def test_the_check_tolerates_what_it_says(value, falls):
    assert bool(fallen([record("a", value)], [record("a", 1)])) is falls


def test_results_read_back_and_newer_ones_take_their_place(tmp_path):
    skipped = (Skipped("gone", "no checkout"), Skipped("back", "no checkout"))
    first = Results({"machine": "2 cores"}, (record("a", 1, at_least(2)), record("b", 2)), skipped)
    write_results(tmp_path, "AVX2", first)
    assert read_results(tmp_path) == {"AVX2": first}
    newer = Results({"machine": "4 cores"}, (record("b", 3),), (Skipped("back", "broken"),))
    both = first.add(newer)
    assert [(r.name, r.value.middle) for r in both.records] == [("a", 1), ("b", 3)]
    assert [(s.name, s.why) for s in both.skipped] == [("gone", "no checkout"), ("back", "broken")]
    assert both.machine == {"machine": "4 cores"}


def test_every_kind_of_processor_has_results_of_its_own(tmp_path):
    old, new = Results({}, (record("a", 1),), ()), Results({}, (record("a", 3),), ())
    write_results(tmp_path, "AVX2", old)
    write_results(tmp_path, "AVX512", new)
    assert read_results(tmp_path) == {"AVX2": old, "AVX512": new}
    page = (tmp_path / "RESULTS.md").read_text()
    assert page.index("## A processor with AVX2") < page.index("| 1 (") < page.index("## A processor with AVX512")
    assert page.index("| 3 (") < page.index("## How it was measured")


def test_what_needs_bfloat16_is_skipped_where_there_is_none(monkeypatch):
    monkeypatch.setattr(limit, "DTYPES", {"float32": torch.float32, "bfloat16": torch.bfloat16})
    need_bfloat16()
    monkeypatch.setattr(limit, "DTYPES", {"float32": torch.float32})
    with pytest.raises(Skip, match="no instructions"):
        need_bfloat16()


def test_the_page_tells_numbers_goals_and_what_was_skipped():
    records = (record("a", 1, at_least(2)), record("b", 1, at_most(2)), record("c", 0.5, at_most(1), SECONDS))
    page = render(
        {"AVX2": Results({"machine": "2 cores, fast"}, records, (Skipped("loading-over-tbn", "no checkout"),))}
    )
    assert "| the case a | 1 (0.9 to 1.1) | at least 2: **not met** | ours 1 s |" in page
    assert "| the case b | 1 (0.9 to 1.1) | at most 2: met | ours 1 s |" in page
    assert "| the case c | 0.5 s (0.4 to 0.6) | at most 1: met | ours 1 s |" in page
    assert "- machine: 2 cores, fast" in page
    assert "- `loading-over-tbn`: no checkout" in page
    assert "Nothing was skipped." in render({"AVX2": Results({}, records, ())})


@pytest.fixture
def cases(monkeypatch):
    """Three cases: one that is quick, one that is long, one whose peer is absent after its first record."""
    value = {"quick": 2.0}

    def lacking(bench):
        yield record("before", 1)
        bench.peers.of("tbn")

    found = [
        Case("quick", lambda bench: [record("quick", value["quick"], at_least(1))], quick=True, long=False),
        Case("lacking", lacking, quick=False, long=False),
        Case("slow", lambda bench: [record("slow", 1)], quick=False, long=True),
    ]
    monkeypatch.setattr(program, "all_cases", lambda: {case.name: case for case in found})
    monkeypatch.setattr(program, "describe", lambda bench: {"machine": "a test"})
    monkeypatch.setattr(program, "kind", lambda: "AVX2")
    monkeypatch.setattr(Watch, "told", lambda watch: "")
    return value


def test_a_run_writes_what_it_measured_and_why_it_skipped(cases, tmp_path, capsys):
    assert program.main(["--out", str(tmp_path)]) == 0
    (found,) = read_results(tmp_path).values()
    assert [r.name for r in found.records] == ["quick", "before"]
    assert found.skipped == (Skipped("lacking", "no checkout of the peer was given (--peer-tbn)"),)
    assert "goal met" in capsys.readouterr().out
    assert "the case quick" in (tmp_path / "RESULTS.md").read_text()


def test_long_cases_are_asked_for_and_others_are_kept(cases, tmp_path):
    program.main(["--out", str(tmp_path)])
    program.main(["--out", str(tmp_path), "--only", "slow", "--add"])
    assert [r.name for r in read_results(tmp_path)["AVX2"].records] == ["quick", "before", "slow"]
    program.main(["--out", str(tmp_path), "--long"])
    assert [r.name for r in read_results(tmp_path)["AVX2"].records] == ["quick", "before", "slow"]
    program.main(["--out", str(tmp_path), "--only", "slow"])
    assert [r.name for r in read_results(tmp_path)["AVX2"].records] == ["slow"]


def test_an_unknown_case_is_refused_by_name(cases, tmp_path, capsys):
    assert program.main(["--out", str(tmp_path), "--only", "quikc"]) == 1
    assert "No such case: quikc. There are: quick, lacking, slow." in capsys.readouterr().err


def test_the_check_fails_when_a_ratio_has_fallen(cases, tmp_path, capsys):
    assert program.main(["--out", str(tmp_path), "--check"]) == 1
    write_results(tmp_path, "AVX512", Results({}, (record("quick", 9, at_least(1)),), ()))
    assert program.main(["--out", str(tmp_path), "--check"]) == 1
    assert "has no stored results of a processor with AVX2: run make bench first" in capsys.readouterr().err
    program.main(["--out", str(tmp_path)])
    before = (tmp_path / "results.json").read_text()
    assert program.main(["--out", str(tmp_path), "--check"]) == 0
    cases["quick"] = 1.0
    assert program.main(["--out", str(tmp_path), "--check"]) == 1
    assert "quick: 1, and 2 is stored" in capsys.readouterr().err
    assert (tmp_path / "results.json").read_text() == before


def test_a_ratio_that_fell_once_is_measured_again(monkeypatch, cases, tmp_path):
    program.main(["--out", str(tmp_path)])
    values = iter([0.5, 2.0])
    case = Case("quick", lambda bench: [record("quick", next(values), at_least(1))], quick=True, long=False)
    monkeypatch.setattr(program, "all_cases", lambda: {"quick": case})
    assert program.main(["--out", str(tmp_path), "--check"]) == 0
    assert next(values, None) is None


def test_every_case_is_listed_once_and_says_what_it_is():
    found = program.all_cases()
    assert {"i3d-forward", "training-step", "evaluation", "loading-over-simmmdg", "growth", "demo"} <= set(found)
    assert all(case.measure.__doc__ for case in found.values())
    assert not [name for name, case in found.items() if case.quick and case.long]


def test_a_peer_is_loaded_from_its_checkout_and_nothing_is_written_there(tmp_path):
    (tmp_path / "net.py").write_text("WIDTH = 3\n")
    (tmp_path / "loader.py").write_text("import torchvision\nfrom near import FAR\n")
    (tmp_path / "near.py").write_text(
        "import torchvision.transforms\nFAR = 7\nadd = torchvision.transforms.Compose([abs, str])\n"
    )
    (tmp_path / "needy.py").write_text("import no_such_package\n")
    assert load_file(tmp_path / "net.py").WIDTH == 3
    loader, near = load_modules(tmp_path, "loader", "near")
    assert loader.FAR == 7
    assert near.add(-2) == "2"
    with pytest.raises(Skip, match="cannot be imported here: No module named 'no_such_package'"):
        load_modules(tmp_path, "needy")
    with pytest.raises(Skip, match=r"has no absent\.py"):
        load_file(tmp_path / "absent.py")
    assert not list(tmp_path.rglob("__pycache__"))


def test_an_absent_peer_is_told(tmp_path):
    with pytest.raises(Skip, match="--peer-bn-inception"):
        Peers().of("bn_inception")
    with pytest.raises(Skip, match="is no folder"):
        Peers(i3d=tmp_path / "none").of("i3d")
    assert Peers(i3d=tmp_path).of("i3d") == tmp_path
    assert Peers(i3d=tmp_path).commits() == {"i3d": "commit unknown"}
    assert Bench(Peers(), tmp_path).peers.commits() == {}


def test_the_clips_lie_within_the_recording():
    clips = manifest(MINUTES * 60).clips
    assert len(clips) > 600
    assert clips[0].start > SPAN.seconds
    assert clips[-1].stop < MINUTES * 60
    assert {clip.media for clip in clips} == {NAME}
    assert picture_name(MINUTES * 60 * FPS) == "frame_0000072000.jpg"


def test_pictures_are_encoded_at_about_the_size_of_epics():
    draw = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 64, 114, generator=draw) * 255
    picture = torch.nn.functional.interpolate(coarse, (256, 456)).byte()[0].permute(1, 2, 0).contiguous().numpy()
    (data,) = encode_pictures([picture])
    assert math.isclose(len(data), BYTES, rel_tol=0.5)


def test_the_features_of_the_long_case_can_be_opened(tmp_path):
    write_features(tmp_path / "features", clips=32, windows=2, size=4)
    data = open_clip_set(f"features:{tmp_path / 'features'}")
    assert data.stored.sizes == {"rgb": 4, "audio": 4}
    assert data.manifest.domains == ("D1", "D2", "D3")
    assert len(data.manifest.select(["D2"], "test")) == 8


def test_others_are_heard_and_we_are_not(monkeypatch):
    watch = Watch(Usage(passed=100, used=20, ours=5))
    monkeypatch.setattr(Usage, "now", staticmethod(lambda: Usage(passed=200, used=80, ours=25)))
    assert watch.others() == pytest.approx(0.4)
    assert watch.told() == "; meanwhile others used 40% of the processors"
    monkeypatch.setattr(Usage, "now", staticmethod(lambda: Usage(passed=200, used=80, ours=60)))
    assert watch.told() == ""


def test_when_is_written_in_utc():
    assert record("a", 1).when == time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    assert json.loads(json.dumps(record("a", 1).when))


@pytest.mark.parametrize("path", sorted(Path(program.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_a_file_says_what_it_is_and_its_functions_fit_a_screen(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the file does not open with a sentence"
    assert text.count("\n") <= 200
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    bodies = {f.name: f.body[1:] if ast.get_docstring(f) else f.body for f in functions}
    lengths = {name: body[-1].end_lineno - body[0].lineno + 1 for name, body in bodies.items() if body}
    assert not {name: length for name, length in lengths.items() if length > 25}
