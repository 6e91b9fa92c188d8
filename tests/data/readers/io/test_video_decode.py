"""Videos that stay open: the same pictures whatever was read before, and nothing that is stale."""

import multiprocessing
from random import Random

import pytest
import torch
from media import spoil, write_video

from egonorm.core import DataError
from egonorm.data.readers.io import video_decode
from egonorm.data.readers.video import read_frames


@pytest.fixture(autouse=True)
def empty():
    """No open videos at the start of every test."""
    video_decode._OPEN_VIDEOS.clear()


@pytest.fixture
def videos(tmp_path):
    return [write_video(tmp_path / f"{k}.mp4", range(30 * k, 30 * k + 90), num_b_frames=k) for k in range(3)]


def test_the_order_of_questions_changes_nothing(videos):
    questions = [(path, [start + k / 15 for k in range(6)]) for path in videos for start in (0.7, 1.0, 1.5, 2.4)]
    fresh = []
    for path, times in questions:
        video_decode._OPEN_VIDEOS.clear()
        fresh.append(read_frames(path, times))
    for number in Random(0).choices(range(len(questions)), k=60):
        path, times = questions[number]
        assert torch.equal(read_frames(path, times), fresh[number])
    assert len(video_decode._OPEN_VIDEOS) == len(videos)


def test_a_file_is_opened_once_and_anew_when_it_has_changed(videos, monkeypatch):
    opened, really = [], video_decode.opened
    monkeypatch.setattr(video_decode, "opened", lambda path, kind: opened.append(path) or really(path, kind))
    before = read_frames(videos[0], [2.0])
    read_frames(videos[0], [1.0, 2.5])
    assert opened == [videos[0]]
    write_video(videos[0], range(90), pictures=[torch.full((120, 160, 3), 9, dtype=torch.uint8).numpy()] * 90)
    assert not torch.equal(read_frames(videos[0], [2.0]), before)
    assert opened == [videos[0]] * 2


def test_no_more_stay_open_than_there_is_room_for(videos, monkeypatch):
    monkeypatch.setattr(video_decode, "MAX_OPEN_VIDEOS", 2)
    for path in videos:
        read_frames(path, [2.0])
    assert [key[0] for key in video_decode._OPEN_VIDEOS] == [str(path) for path in videos[1:]]


def test_a_file_that_failed_does_not_stay_open(videos):
    broken = spoil(videos[0], 2.0)
    with pytest.raises(DataError, match="cannot be decoded"):
        read_frames(videos[0], [broken])
    assert not video_decode._OPEN_VIDEOS


@pytest.mark.slow
def test_a_forked_process_opens_its_own(videos):
    expected = read_frames(videos[0], [2.0])
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        number, found = pool.apply(_open_and_frames, (videos[0],))
    assert number == 0 and len(video_decode._OPEN_VIDEOS) == 1
    assert torch.equal(torch.tensor(found), expected)


def _open_and_frames(path):
    return len(video_decode._OPEN_VIDEOS), read_frames(path, [2.0]).tolist()
