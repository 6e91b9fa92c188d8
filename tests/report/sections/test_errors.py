"""Where it fails: against answers that are written down by hand, from runs that are stored as training stores them."""

import csv
import io
from functools import partial

import numpy as np
import pytest

from egonorm.core import Setting
from egonorm.export.saved_clip import video_path
from egonorm.methods import Rna, SourceOnly
from egonorm.metrics import accuracy_interval, recall
from egonorm.report.data.runs import Comparison, ReportData, read_report_data
from egonorm.report.page.model import Matrix, Note, Player
from egonorm.report.sections.errors import changed_answers, confusion, mistakes, recall_by_class
from egonorm.runs.config import Run, predictions_of, to_json
from egonorm.runs.presets import demo
from egonorm.runs.results import COMPLETE, Record, Row, find_runs, last_mean, write_rows

CLASSES = ("cut", "put", "take")
LABELS = (0, 0, 1, 1, 2)
UIDS = ("c0", "c1", "c2", "c3", "c4 <b>")


def scores_of(answers, sure):
    """Scores that put each answer first."""
    found = np.full((len(answers), 3), 0.0, np.float32)
    found[np.arange(len(answers)), answers] = sure
    return found


def store(out, method, answers, seed=0, alone=None, sure=0.5, norms=None, uids=UIDS, classes=CLASSES, labels=LABELS):
    """A run whose checkpoints give the answers of each row of `answers`; `alone` has those of the stream `one`."""
    preset = demo()
    run = Run("kitchens:/data", Setting.parse("dg1:D1:D2"), preset.net, method, preset.optim, preset.evaluation, seed)
    folder, rows = out / run.name, []
    (folder / "predictions").mkdir(parents=True)
    (folder / "config.json").write_text(to_json(run))
    labels = np.array(labels)
    row = partial(_row, folder.name, run)
    for k, each in enumerate(answers):
        fused = scores_of(each, sure)
        streams = {
            "scores/fused": fused,
            "scores/one": scores_of(each if alone is None else alone, 0.25),
            "scores/two": fused,
        }
        lengths = np.arange(len(uids), dtype=np.float32) + 1 if norms is None else np.array(norms, np.float32)
        np.savez(
            predictions_of(folder, k, "D2"),
            uids=np.array(uids),
            labels=labels,
            classes=np.array(classes),
            **streams,
            **{"norms/one": lengths, "norms/two": 2 * lengths},
        )
        top1 = 100 * float((fused.argmax(axis=1) == labels).mean())
        rows.append(row(k, "top1", top1, len(labels)))
        rows += [row(k, f"recall/{classes[label]}", value, n) for label, (value, n) in recall(fused, labels).items()]
    write_rows(folder, [*rows, row(0, COMPLETE, 1.0, 0)])
    return folder


def _row(name, run, step, metric, value, n):
    return Row(name, run.method.name(), str(run.setting), run.seed, step, "test", "D2", metric, value, n)


def opened(out) -> tuple[Comparison, ReportData]:
    data = read_report_data(find_runs(out), last_mean(9), "last-mean:9")
    (comparison,) = data.comparisons("rna")
    return comparison, data


@pytest.fixture
def two_seeds(tmp_path) -> tuple[Comparison, ReportData]:
    """Source Only's two checkpoints disagree about c1; RNA-Net's seeds disagree about c3."""
    for seed in (0, 1):
        store(tmp_path, SourceOnly(), [(0, 1, 1, 2, 2), (0, 0, 1, 2, 2)], seed, alone=(2, 2, 2, 2, 2))
        store(tmp_path, Rna(), [(0, 0, 1, 1 if seed else 0, 1)] * 2, seed)
    return opened(tmp_path)


def mean_recall(records: tuple[Record, ...], name: str) -> float:
    return float(np.mean([record.measured["D2"][f"recall/{name}"][0] for record in records]))


def test_a_matrix_a_side_whose_diagonal_the_rows_state(two_seeds):
    comparison, data = two_seeds
    before, after = confusion(comparison, data)
    assert before.classes == CLASSES and before.support == after.support == (2, 2, 1)
    assert before.percents == ((75, 25, 0), (0, 50, 50), (0, 0, 100))
    assert after.percents == ((100, 0, 0), (25, 75, 0), (0, 100, 0))
    for matrix, records in ((before, comparison.without), (after, comparison.with_method)):
        for k, name in enumerate(CLASSES):
            assert matrix.percents[k][k] == pytest.approx(mean_recall(records, name))
    weighted = sum(n * row[k] for k, (n, row) in enumerate(zip(before.support, before.percents, strict=True)))
    top1 = np.mean([record.measured["D2"]["top1"][0] for record in comparison.without])
    assert weighted / sum(before.support) == pytest.approx(top1)
    assert len({before.name, after.name}) == 2 and "2 seeds" in before.caption
    assert before.csv().splitlines()[:2] == ["true class,clips,cut,put,take", "cut,2,75.0,25.0,0.0"]


def test_recall_of_each_class(two_seeds):
    grid = recall_by_class(*two_seeds)
    assert grid.header[:5] == ("class", "clips", "Source Only", "RNA-Net", "difference")
    assert grid.header[5:] == (
        "one alone, Source Only",
        "one alone, RNA-Net",
        "two alone, Source Only",
        "two alone, RNA-Net",
    )
    cut, put, take = grid.rows
    assert [cell.text for cell in put] == ["put", "2", "50.0", "75.0", "+25.0", "0.0", "75.0", "50.0", "75.0"]
    assert [cell.text for cell in take][:6] == ["take", "1", "100.0", "0.0", "-100.0", "100.0"]
    low, high = accuracy_interval(75.0, 2)
    assert cut[2].lines == (f"[{low:.0f}, {high:.0f}]",) and cut[2].value == 75.0 and cut[1].value == 2.0
    lines = list(csv.DictReader(io.StringIO(grid.csv())))
    assert len(lines) == 2 * 3 * 3 and float(lines[0]["high"]) == pytest.approx(high)


def test_a_class_without_clips(tmp_path):
    for method in (SourceOnly(), Rna()):
        store(tmp_path, method, [(0, 0, 1, 1, 1)], labels=(0, 0, 1, 1, 1))
    comparison, data = opened(tmp_path)
    assert [cell.text for cell in recall_by_class(comparison, data).rows[2]] == ["take", "0", *[""] * 7]
    assert confusion(comparison, data)[0].percents[2] == (0, 0, 0)


def test_clips_whose_answer_changed(tmp_path):
    store(tmp_path, SourceOnly(), [(0, 1, 1, 2, 2)], sure=0.5, norms=(1, 2, 3, 4, 5))
    store(tmp_path, Rna(), [(0, 0, 1, 0, 1)], sure=0.75, norms=(5, 4, 3, 2, 1))
    grid = changed_answers(*opened(tmp_path), {})
    assert [[cell.text for cell in row][:5] for row in grid.rows] == [
        ["c1", "newly right", "cut", "put", "cut"],
        ["c4 <b>", "newly wrong", "take", "take", "put"],
        ["c3", "wrong otherwise", "put", "take", "cut"],
    ]
    assert [cell.text for cell in grid.rows[0]][5:] == ["0.00", "0.75", "2.00", "4.00", "4.00", "8.00"]
    assert grid.rows[0][6].value == 0.75 and len(grid.header) == len(grid.rows[0])
    assert "1 newly right, 1 newly wrong, 1 wrong otherwise, of 5 clips" in grid.caption
    assert grid.csv().splitlines()[1].startswith("c1,newly right,cut,put,cut,0.0,0.75,2.0,4.0")


def test_the_surest_mistakes_of_both_sides(tmp_path):
    without = store(tmp_path, SourceOnly(), [(1, 0, 1, 2, 2)], sure=np.array([0.5, 0.6, 0.7, 0.9, 0.8]))
    store(tmp_path, Rna(), [(0, 2, 1, 2, 2)], sure=0.75)
    video_path(without, "c3").parent.mkdir()
    video_path(without, "c3").write_bytes(b"film")
    told, *players = mistakes(*opened(tmp_path), most=1)
    assert isinstance(told, Note) and "highest score" in told.text and not told.is_warning
    assert [player.facts.items[0] for player in players] == [("clip", "c3"), ("clip", "c1")]
    first, second = players
    assert (
        first.video == b"film"
        and first.title == "1. put taken for take"
        and first.facts.items[1] == ("true class", "put")
    )
    assert second.video is None and second.missing.endswith(f"egonorm cam RUNS/{second_run(tmp_path)} --clip c1")
    assert [cell.text for cell in first.table.rows[0]] == ["Source Only, fused", "take", "0.90", "0.00", "", ""]
    assert [cell.text for cell in first.table.rows[1]] == ["Source Only, one", "take", "0.25", "0.00", "4.00", "60 %"]
    assert len(first.table.rows) == 6 and len({player.name for player in players}) == 2


def second_run(out):
    (name,) = (path.name for path in out.iterdir() if path.name.startswith("rna"))
    return name


def test_a_mistake_of_both_sides_is_shown_once(tmp_path):
    for method in (SourceOnly(), Rna()):
        store(tmp_path, method, [(1, 0, 1, 1, 2)])
    (_, player) = mistakes(*opened(tmp_path))
    assert player.facts.items[2] == ("mistake of", "Source Only (put) and RNA-Net (put)")


def test_without_mistakes_there_is_nothing_to_see(tmp_path):
    for method in (SourceOnly(), Rna()):
        store(tmp_path, method, [LABELS])
    comparison, data = opened(tmp_path)
    (note,) = mistakes(comparison, data)
    assert "No clip of D2 got a wrong answer" in note.text and not note.is_warning
    assert changed_answers(comparison, data, {}).rows == ()


def test_a_clip_that_one_side_went_without(tmp_path):
    store(tmp_path, SourceOnly(), [(1, 0, 1, 1, 2)])
    store(tmp_path, Rna(), [(0, 1, 1, 1)], uids=UIDS[1:], labels=LABELS[1:])
    comparison, data = opened(tmp_path)
    players = [part for part in mistakes(comparison, data) if isinstance(part, Player)]
    (missing,) = [player for player in players if player.facts.items[0] == ("clip", "c0")]
    assert [cell.text for cell in missing.table.rows[3]] == ["RNA-Net, fused", "not judged", "", "", "", ""]
    assert "of 4 clips" in changed_answers(comparison, data, {}).caption
    assert all(isinstance(matrix, Matrix) for matrix in confusion(comparison, data))


def test_missing_predictions_are_named_with_the_remedy(two_seeds):
    comparison, data = two_seeds
    gone = comparison.with_method[1].folder
    predictions_of(gone, 0, "D2").unlink()
    found = [
        *confusion(comparison, data),
        recall_by_class(comparison, data),
        changed_answers(comparison, data, {}),
        *mistakes(comparison, data),
    ]
    assert len(found) == 4
    for note in found:
        assert isinstance(note, Note) and note.is_warning and gone.name in note.text
        assert "egonorm test RUN --domain D2" in note.text and comparison.without[0].folder.name not in note.text


def test_broken_predictions_are_as_good_as_missing(two_seeds):
    comparison, data = two_seeds
    predictions_of(comparison.without[0].folder, 1, "D2").write_bytes(b"no zip")
    assert isinstance(recall_by_class(comparison, data), Note) and data.broken


def test_runs_with_other_classes_are_not_compared(tmp_path):
    store(tmp_path, SourceOnly(), [LABELS])
    store(tmp_path, Rna(), [LABELS], classes=("cut", "take", "put"))
    (note,) = confusion(*opened(tmp_path))
    assert note.is_warning and "different classes" in note.text
