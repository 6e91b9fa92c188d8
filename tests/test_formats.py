"""What lies on disk says its version: another one is refused, or a cache made again, and what says none is of version 1."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from egonorm.core import DataError, RunError
from egonorm.core.files import Format
from egonorm.core.shard import Shard
from egonorm.data.readers.io import cache
from egonorm.data.sets import open_clip_set
from egonorm.data.sets.features.store import STORE
from egonorm.data.sets.packed.store import PACKED
from egonorm.data.sets.synthetic.rendering import KITCHENS, KitchensConfig, render_kitchens
from egonorm.export.saved_clip import CLIP, SavedClip, clip_path, read_clip, write_clip
from egonorm.features.shards import UNFINISHED, claim_store
from egonorm.methods import SourceOnly
from egonorm.report.page.output_dir import LISTING, REPORT, earlier_files, write_report
from egonorm.runs.config import RUN, read_run, to_json, write_run
from egonorm.runs.directory import refuse_other
from egonorm.runs.results import parse_selector, read_records
from stored_runs import plain_run, store


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change(path: Path, version: object) -> None:
    """Give a JSON file another version, or none."""
    tree = {name: value for name, value in json.loads(path.read_text()).items() if name != "version"}
    path.write_text(json.dumps(tree if version is None else {"version": version} | tree))


def refused(kind: type, remedy: str, got: object = 2):
    return pytest.raises(
        kind,
        match=rf"is of another version\.\n  got:      {json.dumps(got)}, which .*\n  expected: 1, .*\n  remedy:   .*{remedy}",
    )


def test_a_run(tmp_path):
    run = plain_run("dg1:D1:D2", SourceOnly(), 0)
    write_run(tmp_path, run)
    path = tmp_path / "config.json"
    assert json.loads(path.read_text()) == {"version": 1} | json.loads(to_json(run)) and read_run(tmp_path) == run
    change(path, None)
    assert read_run(tmp_path) == run and read_run(tmp_path).name == run.name
    for version in (2, 0, "1", True, 1.0, False):
        change(path, version)
        before = content(tmp_path)
        with refused(RunError, "do the run again", version):
            read_run(tmp_path)
        with refused(RunError, "do the run again", version):
            refuse_other(tmp_path, run)
        assert content(tmp_path) == before


def test_runs_of_another_version_are_left_out_of_tables_by_name(tmp_path):
    runs = [plain_run("dg1:D1:D2", SourceOnly(), seed) for seed in (0, 1)]
    here, other = (store(tmp_path, run, {"D2": [[1, 0, 1]]}) for run in runs)
    change(other / "config.json", 2)
    (other / "results.jsonl").write_text("what a later version writes\n")
    records, caption = read_records([here, other], parse_selector("last-mean:9"))
    assert [record.folder for record in records] == [here]
    assert (
        caption == f"Left out: {other / 'config.json'} is of another version. Got 2, which this egonorm does not read."
    )
    with refused(RunError, "do the run again"):
        read_records([other], parse_selector("last-mean:9"))


def test_a_saved_clip(tmp_path):
    clip = SavedClip("r", "rna", 0, 4, "c1", "D2", 0, ("cut", "mix"), 1.0, 2.0, scores={"fused": np.ones(2)})
    write_clip(tmp_path, clip)
    path = clip_path(tmp_path, "c1")
    with np.load(path) as found:
        arrays = dict(found)
    about = json.loads(str(arrays.pop("about")))
    assert about.pop("version") == 1
    np.savez(path, about=json.dumps(about), **arrays)
    assert read_clip(tmp_path, "c1").classes == clip.classes
    np.savez(path, about=json.dumps(about | {"version": 2}), **arrays)
    with refused(RunError, "it is made again"):
        read_clip(tmp_path, "c1")


@pytest.mark.slow
def test_rendered_kitchens(tmp_path):
    config = KitchensConfig(clips=24, kitchens=1, size=(32, 48))
    render_kitchens(tmp_path, config)
    path = tmp_path / "kitchens.json"
    assert json.loads(path.read_text())["version"] == 1
    change(path, None)
    render_kitchens(tmp_path, config)
    assert len(open_clip_set(f"kitchens:{tmp_path}").manifest) == 24
    change(path, 2)
    before = content(tmp_path)
    with refused(DataError, "render the kitchens again"):
        open_clip_set(f"kitchens:{tmp_path}")
    with refused(DataError, "render the kitchens again"):
        render_kitchens(tmp_path, config)
    assert content(tmp_path) == before


def test_features_that_are_being_extracted(tmp_path):
    with claim_store(tmp_path, {"batch": 4}, Shard()):
        pass
    path = tmp_path / "parts" / "extract.json"
    assert json.loads(path.read_text()) == {"version": 1, "batch": 4}
    change(path, None)
    with claim_store(tmp_path, {"batch": 4}, Shard()):
        pass
    change(path, 2)
    with refused(RunError, "another folder"), claim_store(tmp_path, {"batch": 4}, Shard()):
        pass


def test_a_report(tmp_path):
    write_report(tmp_path, {"index.html": b"one", "data/a.csv": b"1"})
    path = tmp_path / LISTING
    assert json.loads(path.read_text()) == {"version": 1, "files": ["data/a.csv", "index.html"]}
    path.write_text('["data/a.csv", "index.html"]')
    write_report(tmp_path, {"index.html": b"two"})
    assert not (tmp_path / "data/a.csv").exists() and earlier_files(tmp_path) == {"index.html"}
    change(path, 2)
    before = content(tmp_path)
    with refused(RunError, "another folder"):
        write_report(tmp_path, {"index.html": b"three"})
    assert content(tmp_path) == before


def test_a_cache_of_another_version_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def make() -> np.ndarray:
        made.append(1)
        return np.zeros(1, [("stamp", cache.STAMP)])

    for version, times in ((1, 1), (1, 1), (2, 2), (1, 2)):
        monkeypatch.setattr(cache, "VERSION", version)
        cache.kept("a name", (3, 4), make)
        assert len(made) == times


def test_the_page_lists_every_format():
    page = (Path(__file__).parents[1] / "docs" / "formats.md").read_text()
    for form in (RUN, CLIP, STORE, UNFINISHED, PACKED, KITCHENS, REPORT):
        assert isinstance(form, Format)
        assert re.search(rf"^\| {form.name}\b.*\| {form.version} \|", page, re.MULTILINE), form.name
    assert f"`….v{cache.VERSION}.npy`" in page
