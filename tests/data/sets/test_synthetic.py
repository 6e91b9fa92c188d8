"""The procedural kitchens: what is promised about their files, times, pictures and sounds."""

import json
import shutil
from collections import Counter
from itertools import islice, pairwise

import av
import numpy as np
import pytest

from egonorm.core import DataError, RunError
from egonorm.data.manifest import read_manifest
from egonorm.data.sets.synthetic import CLASSES, KitchensConfig, render_kitchens, rendering
from egonorm.data.sets.synthetic.scene import frames
from egonorm.data.sets.synthetic.timeline import counts, plan_videos

pytestmark = pytest.mark.slow

TINY = KitchensConfig(clips=24, kitchens=1, seed=3, size=(32, 48))


@pytest.fixture(scope="module")
def root(tiny_kitchen):
    return tiny_kitchen


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_manifest_and_description(root):
    manifest = read_manifest(root / "manifest.csv", CLASSES)
    description = json.loads((root / "kitchens.json").read_text())
    assert description["classes"] == list(CLASSES) == ["take", "put", "open", "close", "wash", "cut", "mix", "pour"]
    assert description["config"] == {"edition": 2, "clips": 24, "kitchens": 1, "seed": 3, "size": [32, 48]}
    assert "Reverberation" in description["kitchens"]["D1"]["summary"]
    for split in ("train", "test"):
        labels = Counter(clip.label for clip in manifest.select(["D1"], split).clips)
        assert labels == counts(1, split, 24) == description["kitchens"]["D1"]["counts"][split]
    videos = {split: {clip.media for clip in manifest.select(["D1"], split).clips} for split in ("train", "test")}
    assert not videos["train"] & videos["test"]
    assert sorted(p for p in contents(root) if p.endswith("mp4")) == sorted(videos["train"] | videos["test"])


def test_clips_lie_within_their_video_and_apart(root):
    manifest = read_manifest(root / "manifest.csv", CLASSES)
    for media in {clip.media for clip in manifest.clips}:
        clips = sorted((clip for clip in manifest.clips if clip.media == media), key=lambda clip: clip.start)
        with av.open(str(root / media)) as container:
            assert clips[-1].stop < container.streams.video[0].frames / 30
        assert all(before.stop + 0.2 < after.start for before, after in pairwise(clips))
        assert all(1.15 < clip.stop - clip.start < 3.55 for clip in clips)


def test_streams(root):
    with av.open(str(root / "D1/D1_train_00.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.average_rate, video.height, video.width, audio.rate, audio.channels) == (30, 32, 48, 48000, 1)
        keys = [packet.is_keyframe for packet in container.demux(video) if packet.size]
        assert all(any(keys[start : start + 15]) for start in range(len(keys) - 15))
        assert abs(float(audio.duration * audio.time_base) - len(keys) / 30) < 0.05


def test_counts_are_unbalanced_as_epic_is():
    assert counts(1, "train", 240) == dict(zip(CLASSES, (49, 45, 27, 15, 26, 8, 5, 5), strict=True))
    assert counts(4, "test", 240) == counts(1, "test", 240)
    assert counts(2, "train", 240) != counts(1, "train", 240)
    for clips in (24, 25, 31, 32, 97, 240):
        for kitchen in (1, 2, 3):
            train, test = (counts(kitchen, split, clips) for split in ("train", "test"))
            assert sum(train.values()) + sum(test.values()) == clips
            assert min(train.values()) >= 2 and min(test.values()) >= 1


def test_videos_hold_several_actions_and_every_clip_has_its_own_address():
    videos = plan_videos(0, 2, 240)
    assert all(5 <= len(video.acts) <= 10 for video in videos)
    addresses = [act.address for video in videos for act in video.acts]
    assert sorted(addresses) == [(0, 2, clip) for clip in range(1, 241)]


def test_the_second_call_returns_at_once(root, monkeypatch):
    monkeypatch.setattr("egonorm.data.sets.synthetic.rendering.render_file", lambda *_: pytest.fail("rendered again"))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert render_kitchens(root, TINY) == root / "manifest.csv"
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_an_interrupted_rendering_goes_on_in_one_process_and_ends_the_same(root, tmp_path, monkeypatch):
    again = tmp_path / "again"
    shutil.copytree(root, again)
    (again / "manifest.csv").unlink()
    (again / "D1" / "D1_test_00.mp4").unlink()

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("egonorm.data.sets.synthetic.rendering.encode_movie", lambda *_: b"")
        patch.setattr("os.fsync", full)
        with pytest.raises(RunError, match=r"(?s)could not be written.*the disk is full.*what was saved stands"):
            render_kitchens(again, TINY, workers=1)
    kept = contents(again)
    assert "D1/D1_test_00.mp4" not in kept and "manifest.csv" not in kept and not any("part" in name for name in kept)
    render_kitchens(again, TINY, workers=1)
    assert contents(again) == contents(root)


def test_another_configuration_and_foreign_folders_are_refused(root, tmp_path):
    before = contents(root)
    with pytest.raises(DataError, match=r"(?s)another configuration.*'seed': 3.*'seed': 4.*Give another folder"):
        render_kitchens(root, KitchensConfig(clips=24, kitchens=1, seed=4, size=(32, 48)))
    assert contents(root) == before
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match=r"(?s)is not empty.*thesis.tex.*nothing has been changed"):
        render_kitchens(tmp_path, TINY)
    with pytest.raises(DataError, match="is not a folder"):
        render_kitchens(tmp_path / "thesis.tex", TINY)
    assert contents(tmp_path) == {"thesis.tex": b"precious"}
    (tmp_path / "kitchens.json").write_text("[]")
    with pytest.raises(DataError, match="does not describe kitchens"):
        render_kitchens(tmp_path, TINY)


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"clips": 23}, "at least 24"),
        ({"kitchens": 0}, "Too few kitchens"),
        ({"seed": -1}, "seed is negative"),
        ({"size": (121, 160)}, "even numbers"),
        ({"size": (16, 64)}, "even numbers of at least 32"),
    ],
)
def test_bad_choices_are_refused(choice, text):
    with pytest.raises(DataError, match=text):
        KitchensConfig(**choice)


def test_what_is_decoded_is_what_was_painted_in_step_with_its_sound(root):
    """The bang of a door is heard, as decoded from the file, when it shuts."""
    video = next(v for v in plan_videos(3, 1, 24) if any(act.verb == "close" for act in v.acts))
    number = next(n for n, act in enumerate(video.acts) if act.verb == "close")
    with av.open(str(root / video.media)) as container:
        frames = [frame for frame in container.decode(audio=0) if frame.pts is not None]
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    offset = round(float(frames[0].pts * frames[0].time_base) * 48000)
    start, stop = (edge[number] * 1600 - offset for edge in (video.starts, video.stops()))
    loudness = np.abs(sound[start:stop]).reshape(-1, 400).max(1)
    bang = int(np.argmax(loudness > 0.5 * loudness.max())) * 400 / (stop - start)
    assert abs(bang - video.acts[number].phase(0.8)) * video.acts[number].seconds < 0.05


@pytest.mark.parametrize("size", [(32, 48), (120, 160)])
def test_a_video_is_the_same_bytes_on_processors_of_any_kind(monkeypatch, size):
    pictures = list(islice(frames(plan_videos(3, 1, 24)[0], size), 45))
    found = set()
    for instructions in ("", ":asm=0", ":asm=sse2,ssse3,sse4"):
        told = rendering.VIDEO_ENCODER["x264-params"].partition(":")[0] + instructions
        monkeypatch.setattr(rendering, "VIDEO_ENCODER", rendering.VIDEO_ENCODER | {"x264-params": told})
        found.add(rendering.encode_movie(pictures, np.zeros(48000, np.float32), size))
    assert len(found) == 1
