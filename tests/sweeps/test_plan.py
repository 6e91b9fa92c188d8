"""The plan of a sweep: the paper's systems and numbers, each run once, what waits for what, and its shards."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from egonorm.core import Setting, SettingError
from egonorm.core.shard import Shard
from egonorm.methods import Rna, SourceOnly
from egonorm.methods.align_only import AlignOnly
from egonorm.methods.hna import Hna
from egonorm.runs.presets import configure
from egonorm.sweeps.paper import SUITES, reported, shift_of, suites
from egonorm.sweeps.plan import make_plan

DOMAINS = ("D1", "D2", "D3")


@pytest.fixture
def base(feature_store):
    return configure(f"features:{feature_store}", "dg1:source:target", SourceOnly(), "features")


def plan(base, suite, **options):
    return make_plan(suites(base.net.streams)[suite], base, DOMAINS, **{"seeds": [0]} | options)


def test_every_number_of_the_paper_has_its_system():
    parts = suites(("rgb", "audio"))["paper.all"]
    assert set(SUITES) == {"paper.table1", "paper.table2", "paper.table3", "paper.figure5", "paper.all"}
    systems = {
        (s.method, s.fusion, s.modalities if len(s.modalities or "..") == 1 else None) for p in parts for s in p.systems
    }
    assert len(systems) == 16  # 12 methods late, two with mid-level fusion, two single streams
    keys = {(p.table, p.heading, s.name) for p in parts for s in p.systems}
    assert keys == {key[:3] for key in reported()}
    for part in parts:
        detailed = {shift for table, heading, _, shift in reported() if (table, heading) == (part.table, part.heading)}
        assert detailed in ({"Mean"}, {"Mean", *map(shift_of, part.family(DOMAINS))})
    assert len(reported()) == 139 and sum(bool(r.erratum) for r in reported().values()) == 9


def test_means_of_the_paper_are_those_of_their_rows_but_for_the_known_erratum():
    found = reported()
    for key, mean in found.items():
        row = [r.top1 for k, r in found.items() if k[:3] == key[:3] and k[3] != "Mean"]
        if key[3] == "Mean" and row:
            assert (abs(sum(row) / len(row) - mean.top1) < 0.011) == ("not the mean" not in mean.erratum)


def test_every_run_is_planned_once(base):
    jobs = plan(base, "paper.all", seeds=[0, 1]).runs
    assert len(jobs) == len({job.run.name for job in jobs}) == 2 * 168
    families = Counter(job.run.setting.family for job in jobs)
    assert families == {"supervised": 2 * 21, "dg1": 2 * 66, "dgn": 2 * 27, "uda": 2 * 54}
    assert len(plan(base, "paper.table1").runs) == 54 and len(plan(base, "paper.figure5").runs) == 27


def test_hna_waits_for_source_only_of_the_first_seed(base):
    jobs = plan(base, "paper.table3", seeds=[3, 4]).runs
    waiting = [job for job in jobs if isinstance(job.run.method, Hna)]
    assert len(waiting) == 2 * 18
    for job in waiting:
        (needed,) = job.needs
        assert needed.method == SourceOnly() and needed.seed == 3
        assert needed.setting.family == {"uda": "dg1"}.get(job.run.setting.family, job.run.setting.family)
        assert any(other.run == needed for other in jobs)
    given = [job for job in plan(base, "paper.table3", given={"radius": 7.0}).runs if isinstance(job.run.method, Hna)]
    assert all(not job.needs and job.run.method.radius == 7.0 for job in given)


def test_shards_share_all_jobs_and_part_none_that_wait_for_each_other(base):
    whole = plan(base, "paper.table3", seeds=[0, 1])
    shards = [whole.share(Shard(k, 4)).runs for k in range(1, 5)]
    assert sorted(job.run.name for jobs in shards for job in jobs) == sorted(job.run.name for job in whole.runs)
    sizes = [len(jobs) for jobs in shards]
    assert max(sizes) - min(sizes) <= 3
    for jobs in shards:
        names = {job.run.name for job in jobs}
        assert all(names.issuperset(job.waits_for) for job in jobs)


def test_what_never_sees_its_target_takes_the_training_of_the_first_such_run(base):
    jobs = plan(base, "paper.all", seeds=[0, 1]).runs
    before = {}
    for job in jobs:
        if job.reuse is not None:
            assert before[job.reuse.name].reuse is None
            assert replace(job.reuse, setting=job.run.setting) == job.run
            assert job.reuse.setting.sources == job.run.setting.sources
            assert {"uda", "tta"}.isdisjoint((job.run.setting.family, job.reuse.setting.family))
        before[job.run.name] = job
    assert sum(job.reuse is not None for job in jobs) == 2 * 54
    settings = {str(job.run.setting): job for job in plan(base, "paper.table1", names=["rna"]).runs}
    assert str(settings["dg1:D1:D3"].reuse.setting) == "dg1:D1:D2"
    assert all(job.reuse is None for job in plan(base, "paper.table2", names=["mmd", "rna", "ada-bn"]).runs)


def test_methods_and_settings_on_demand(base):
    wanted = [Setting.parse(text) for text in ("dg1:D1:D2", "dg1:D1:D3")]
    jobs = plan(base, "paper.table1", names=["rna", "source-only", "mmd"], settings=wanted).runs
    assert {job.run.method.name() for job in jobs} == {"rna", "source-only"} and len(jobs) == 4
    added = plan(base, "paper.table2", names=["rna", "hna"]).runs
    assert {job.run.method.name() for job in added} == {"rna", "hna", "source-only"}
    with pytest.raises(SettingError, match=r"no such methods(.|\n)*ran, magic(.|\n)*source-only"):
        plan(base, "paper.table1", names=["ran", "magic"])
    with pytest.raises(SettingError, match=r"no such settings(.|\n)*uda:D1:D2"):
        plan(base, "paper.table1", settings=[Setting.parse("uda:D1:D2")])


def test_a_setting_of_some_of_the_places_is_what_there_would_be_were_there_no_others(base):
    four = ("D1", "D2", "D3", "D4")
    wanted = [Setting.parse(text) for text in ("dgn:D1+D2:D3", "dg1:D4:D1")]
    jobs = make_plan(suites(("rgb", "audio"))["paper.table1"], base, four, (0,), names=["rna"], settings=wanted).runs
    assert {str(job.run.setting) for job in jobs} == {"dgn:D1+D2:D3", "dg1:D4:D1"}
    for strange in ("dgn:D1+D5:D3", "tta:D1:D2"):
        with pytest.raises(SettingError, match=rf"no such settings(.|\n)*{re.escape(strange)}(.|\n)*Correct --setting"):
            make_plan(suites(("rgb", "audio"))["paper.table1"], base, four, (0,), settings=[Setting.parse(strange)])


def test_what_makes_no_sense_is_left_out_and_named(base):
    alone = replace(base, net=base.net.choose(("audio",)))
    found = plan(alone, "paper.table1")
    assert {job.run.method.name() for job in found.runs} == {"source-only", "batch-norm"}
    assert any("method rna cannot work in the setting dg1:D1:D2" in words for words in found.left_out)
    parts = suites(base.net.streams)["paper.table1"]
    assert {job.run.setting.family for job in make_plan(parts, base, ("D1", "D2"), [0]).runs} == {"dg1"}


def test_a_named_method_that_no_part_has_in_the_settings_is_left_out_and_named(base):
    found = plan(base, "paper.table2", names=["source-only", "rna"], settings=[Setting.parse("uda:D1:D2")])
    assert {job.run.method.name() for job in found.runs} == {"rna"}
    (told,) = found.left_out
    assert told.startswith("source-only: none of the settings is one that it has here. Its own: dg1:D1:D2, ")


def test_fusion_of_the_whole_suite(base):
    concat = replace(base, net=replace(base.net, fusion="concat"))
    jobs = plan(concat, "paper.table1", names=["align-only"]).runs
    assert {(job.run.method, job.run.net.fusion) for job in jobs} == {(AlignOnly(), "concat")}
    mixed = {(type(j.run.method), j.run.net.fusion) for j in plan(base, "paper.table3").runs}
    assert {(Rna, "concat"), (Rna, "sum"), (SourceOnly, "concat")} <= mixed


def test_a_system_with_some_of_the_streams_goes_without_the_blocks_of_the_others(base):
    optim = replace(base.optim, lr_factors={"rgb.encoder": 0.1, "fusion": 2.0}, frozen=("audio.encoder",))
    found = {"+".join(p.run.net.streams): p.run.optim for p in plan(replace(base, optim=optim), "paper.figure5").runs}
    assert {streams: (x.lr_factors, x.frozen) for streams, x in found.items()} == {
        "rgb": ({"rgb.encoder": 0.1, "fusion": 2.0}, ()),
        "audio": ({"fusion": 2.0}, ("audio.encoder",)),
        "rgb+audio": ({"rgb.encoder": 0.1, "fusion": 2.0}, ("audio.encoder",)),
    }
