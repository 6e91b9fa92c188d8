"""The real tables of EPIC-Kitchens-55 and MM-SADA against the numbers and formulas that others published."""

import shutil
from collections import Counter
from math import floor
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest

from egonorm.data.manifest import Clip
from egonorm.data.readers.flow import FlowReader
from egonorm.data.readers.image_sequence import PictureIndex
from egonorm.data.sets.epic55 import Epic55, open_epic55
from egonorm.data.sets.epic55.labels import NUMBERS, TEXTS, read_public
from egonorm.data.sets.epic55.splits import read_split
from egonorm.data.windows import Span, even_windows, random_window
from egonorm.signal.spectrogram import Spectrogram

DATA = Path(__file__).resolve().parents[3].parent / "shared/data"
PICKLES = DATA / "mm-sada-splits"
PUBLIC = DATA / "epic55" / "EPIC_train_action_labels.csv"
SPAN = Span(16, 2, 60.0)

pytestmark = pytest.mark.skipif(not (PICKLES.is_dir() and PUBLIC.is_file()), reason=f"no real tables in {DATA}")

COUNTS = {  # segments, take, put, open, close, wash, cut, mix, pour, videos, mean and median of seconds
    ("D1", "train"): (1543, 421, 383, 231, 128, 223, 71, 42, 44, 22, 3.53, 2.09),
    ("D1", "test"): (435, 124, 104, 52, 34, 66, 13, 20, 22, 6, 3.28, 2.17),
    ("D2", "train"): (2495, 715, 692, 245, 214, 298, 89, 113, 129, 14, 3.49, 1.66),
    ("D2", "test"): (750, 208, 217, 68, 56, 136, 14, 26, 25, 5, 3.21, 1.55),
    ("D3", "train"): (3897, 919, 1121, 450, 367, 808, 110, 53, 69, 13, 2.20, 1.37),
    ("D3", "test"): (974, 241, 280, 102, 71, 245, 29, 1, 5, 4, 2.23, 1.43),
}


@pytest.fixture(scope="module")
def epic55() -> Epic55:
    return open_epic55(DATA)


def frames_of(clip: Clip) -> tuple[int, int]:
    """Start and stop frame, counted from 1, both inside, as in the tables."""
    return round(clip.start * 60) + 1, round(clip.stop * 60)


@pytest.mark.parametrize(("domain", "split"), COUNTS)
def test_counts(epic55, domain, split):
    *counts, videos, mean, median = COUNTS[domain, split]
    clips = epic55.manifest.select([domain], split).clips
    labels = Counter(clip.label for clip in clips)
    assert [len(clips)] + [labels[name] for name in epic55.manifest.classes] == counts
    assert len({clip.media for clip in clips}) == videos
    seconds = [stop_second - start_second for start_second, stop_second in _timestamps(domain, split)]
    assert round(float(np.mean(seconds)), 2) == mean
    assert round(float(np.median(seconds)), 2) == median
    ours = [clip.stop - clip.start for clip in clips]
    np.testing.assert_allclose(ours, np.array(seconds) + 1 / 60, rtol=0, atol=2.1 / 60)


def _timestamps(domain: str, split: str) -> list[tuple[float, float]]:
    rows = read_split(PICKLES / f"{domain}_{split}.pkl")
    columns = (pd.to_timedelta(rows[name]).dt.total_seconds() for name in ("start_timestamp", "stop_timestamp"))
    return list(zip(*columns, strict=True))


def test_everything_is_there_once(epic55):
    assert len(epic55.manifest) == 10094
    assert epic55.manifest.classes == ("take", "put", "open", "close", "wash", "cut", "mix", "pour")
    assert epic55.manifest.domains == ("D1", "D2", "D3")
    assert epic55.notes == ()
    videos = {split: {c.media for c in epic55.manifest.clips if c.split == split} for split in ("train", "test")}
    assert not videos["train"] & videos["test"]
    assert len(videos["train"] | videos["test"]) == 64
    assert {(c.domain, c.media[:3]) for c in epic55.manifest.clips} == {("D1", "P08"), ("D2", "P01"), ("D3", "P22")}
    assert {int(m[4:]) for m in videos["test"] if m[:3] == "P08"} == {9, 10, 14, 15, 16, 17}


def test_a_row_becomes_a_clip(epic55):
    clip = next(clip for clip in epic55.manifest.clips if clip.uid == "13744")
    assert clip == Clip("13744", "P08_09", 155 / 60, 216 / 60, "take", "D1", "test")


def test_training_splits_follow_from_the_public_labels(epic55, tmp_path):
    shutil.copy(PUBLIC, tmp_path)
    derived = open_epic55(tmp_path)
    assert derived.manifest.clips == tuple(clip for clip in epic55.manifest.clips if clip.split == "train")
    assert len(derived.notes) == 2
    assert "D1_train.pkl, D2_train.pkl, D3_train.pkl: the clips are the same" in derived.notes[0]
    assert derived.notes[1].startswith("no test splits: D1_test.pkl, D2_test.pkl, D3_test.pkl")
    public = read_public(PUBLIC)
    for domain, participant in (("D1", "P08"), ("D2", "P01"), ("D3", "P22")):
        rows = public[public.participant_id == participant].reset_index(drop=True)
        pickled = read_split(PICKLES / f"{domain}_train.pkl")
        pd.testing.assert_frame_equal(rows, pickled, check_dtype=False, check_column_type=False)
        assert set(pickled.columns) == {*NUMBERS, *TEXTS}


def sada_centres(start_frame: int, stop_frame: int) -> tuple[int, int]:
    """First and last centre, as MM-SADA's `batch_generator.py` (`c3d_sampling`) computes them, in file numbers."""
    first, last = start_frame + 16, stop_frame + 1 - 16
    if first >= last:
        first, last = start_frame, stop_frame
    if first <= 17:
        first = 18
    return first, last


def sada_files(centres: list[int]) -> np.ndarray:
    """A row of file numbers for each centre."""
    return np.array(centres)[:, None] + np.arange(-16, 16, 2)


@pytest.fixture(scope="module")
def segments(epic55) -> list[Clip]:
    """All clips."""
    return list(epic55.manifest.clips)


def opened(starts: list[float], first_number: int = 1) -> np.ndarray:
    """The file numbers that `FrameReader` opens for windows with these starts, a row for each."""
    pictures = PictureIndex(Path("video"), "frame_", 10, ".jpg", np.arange(first_number, 400_000), None)
    times = np.array([SPAN.times(start) for start in starts])
    ticks = np.floor(times * 60).astype(int)
    assert [pictures.number_at(floor(row[0] * 60)) for row in times.tolist()] == (ticks[:, 0] + first_number).tolist()
    return ticks + first_number


def five_windows(clips: list[Clip]) -> tuple[list[float], list[int]]:
    """Where our five windows of each clip start, and MM-SADA's five centres."""
    starts = [window.start for clip in clips for window in even_windows(clip.start, clip.stop, SPAN, 5)]
    centres = [np.linspace(*sada_centres(*frames_of(clip)), 7, dtype=np.int32)[1:-1].tolist() for clip in clips]
    return starts, [centre for row in centres for centre in row]


@pytest.mark.slow
def test_test_windows_read_the_files_of_mm_sada(segments):
    assert len(segments) == 10094
    starts, centres = five_windows(segments)
    np.testing.assert_array_equal(opened(starts), sada_files(centres))


@pytest.mark.slow
def test_test_windows_read_the_flow_of_mm_sada(segments):
    """`flow_filename(int(no / 2))` for each picture number `no`; the first number of EPIC's pairs is 1."""
    starts, centres = five_windows(segments[::5])
    reader = FlowReader(Path("flow"), SPAN, None)
    shown = [[reader.tick_at(time) + 1 for time in SPAN.times(start)] for start in starts]
    np.testing.assert_array_equal(shown, sada_files(centres) // 2)


def test_counting_from_zero_reads_the_same_pictures(segments):
    """Temporal Binding Network's links to the pictures have numbers that are one lower."""
    starts, _ = five_windows(segments[::20])
    np.testing.assert_array_equal(opened(starts), opened(starts, first_number=0) + 1)


class Extreme(Random):
    """Draws always the lowest or always the highest number."""

    def __init__(self, choose):
        super().__init__()
        self.randint = lambda low, high: choose(low, high)


@pytest.mark.parametrize("choose", [min, max])
def test_training_windows_have_the_bounds_of_mm_sada(segments, choose):
    starts = [random_window(clip.start, clip.stop, SPAN, Extreme(choose)).start for clip in segments]
    np.testing.assert_array_equal(opened(starts), sada_files([choose(sada_centres(*frames_of(c))) for c in segments]))


def test_segments_of_exactly_one_window(epic55):
    """MM-SADA's `>=` treats them as short ones: their centre may be any frame, not only the one in the middle."""
    exact = [clip for clip in epic55.manifest.clips if frames_of(clip)[1] - frames_of(clip)[0] == 31]
    assert len(exact) == 20
    starts, centres = five_windows(exact)
    np.testing.assert_array_equal(opened(starts), sada_files(centres))


def test_counts_of_the_quirks_of_mm_sada(epic55):
    frames = [(clip.domain, *frames_of(clip)) for clip in epic55.manifest.clips]
    short = Counter(domain for domain, start, stop in frames if start + 16 >= stop + 1 - 16)
    assert short == {"D1": 3, "D2": 38, "D3": 53}
    bounds = [start if start + 16 >= stop + 1 - 16 else start + 16 for _, start, stop in frames]
    assert sum(bound <= 17 for bound in bounds) == 2


def test_sound_windows_are_centred_on_the_frames(segments):
    """Temporal Binding Network's centre sample, `(start_frame - 1 + index) / 60 * 24000`, for each test window."""
    spectrogram = Spectrogram()
    assert spectrogram.num_samples == 30696
    starts, centres = five_windows(segments[::7])
    for start, centre in zip(starts, centres, strict=True):
        first = round((start + (start + SPAN.seconds) - spectrogram.seconds) / 2 * spectrogram.rate)
        assert first + spectrogram.num_samples // 2 == (centre - 1) * 400
