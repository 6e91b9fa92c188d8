"""The store of features: what was written is read, window by window, mapped; and every way in which it can be broken."""

import json
import pickle
from dataclasses import replace
from random import Random

import pytest
import stores
import torch

from egonorm.core import DataError
from egonorm.data.dataset import Clips, EvalKey, TrainKey
from egonorm.data.manifest import Clip, write_manifest
from egonorm.data.readers.features import FeatureReader, window_middles
from egonorm.data.sets import open_clip_set, open_features
from egonorm.data.sets.features import Stored
from egonorm.data.sets.features.store import features_path, write_features
from egonorm.data.transforms import FeatureInput, VideoInput
from egonorm.data.windows import Window, even_windows, random_window


@pytest.fixture
def store(tmp_path):
    root = tmp_path / "features"
    return root, *stores.write_store(root)


def opened(root) -> Clips:
    data = open_clip_set(f"features:{root}")
    inputs = {name: FeatureInput(size) for name, size in data.stored.sizes.items()}
    return Clips(data.manifest, {m: data.reader(m, x) for m, x in inputs.items()}, inputs, data.stored.span)


def test_what_was_written_is_read(store):
    root, manifest, found = store
    data = open_clip_set(f"features:{root}")
    assert (
        data.stored
        == open_features(f"features:{root}").stored
        == Stored({"rgb": 12, "audio": 13}, stores.SPAN, 3, {"rgb": (), "audio": ()})
    )
    assert list(data.stored.sizes) == ["rgb", "audio"] and not data.notes
    assert [replace(clip, media="") for clip in data.manifest.clips] == [replace(c, media="") for c in manifest.clips]
    assert data.manifest.classes == manifest.classes
    assert data.layouts() == {"rgb": {"rgb.safetensors": 32}, "audio": {"audio.safetensors": 32}}
    clips = opened(root)
    for index in range(len(clips)):
        sample = clips[EvalKey(index, 3)]
        assert all(torch.equal(sample.inputs[m], found[m][index]) for m in found)


def test_times_are_written_to_the_last_digit(store):
    root, manifest, _ = store
    times = lambda clips: [(clip.start, clip.stop) for clip in clips]  # noqa: E731
    assert times(open_clip_set(f"features:{root}").manifest.clips) == times(manifest.clips)
    assert any(round(clip.start, 6) != clip.start for clip in manifest.clips)


def test_training_falls_on_the_nearest_window_of_the_clip_itself(store):
    """The clips of `stores` overlap: the nearest window of the same video is often another clip's."""
    root, _, found = store
    clips = opened(root)
    for index, clip in enumerate(clips.manifest.clips[:8]):
        starts = [window.start for window in even_windows(clip.start, clip.stop, stores.SPAN, 3)]
        for epoch in range(20):
            asked = random_window(clip.start, clip.stop, stores.SPAN, Random(f"0/{epoch}/{clip.uid}/window")).start
            distances = [abs(start - asked) for start in starts]
            nearest = distances.index(min(distances))
            seen = clips[TrainKey(index, epoch)].inputs
            assert torch.equal(seen["rgb"][0], found["rgb"][index, nearest])
            assert seen["audio"][0, -2:].tolist() == [index / 64, nearest / 64]


def test_of_two_nearest_windows_the_earlier_and_of_equal_ones_the_first():
    clip = Clip("a", "a", 0.0, 9.0, "cut", "D1", "train")
    clips = (clip, replace(clip, uid="b", stop=12.0))
    reader = FeatureReader(
        torch.arange(8.0).reshape(2, 4, 1), window_middles(clips, [[1.0, 2.0, 2.0, 4.0], [0.0, 2.0, 6.0, 8.0]])
    )
    ask = lambda start: int(reader("a", [Window(start, start + 1)])[0])  # noqa: E731
    assert [ask(t) for t in (-5.0, 0.4, 0.5, 0.6, 1.5, 1.6, 3.0, 3.1, 5.0, 5.1, 99.0)] == [
        4,
        4,
        4,
        0,
        0,
        1,
        1,
        3,
        3,
        6,
        7,
    ]
    assert reader.examine("a") == 12.0
    with pytest.raises(DataError, match="no features of b"):
        reader("b", [Window(0.0, 1.0)])[0]


def test_the_file_is_mapped_and_not_sent_to_other_processes(store):
    root, _, found = store
    clips = opened(root)
    before = clips[EvalKey(0, 3)].inputs["rgb"]
    sent = pickle.dumps(clips)
    again = pickle.loads(sent)
    assert torch.equal(again[EvalKey(0, 3)].inputs["rgb"], before)
    bare = replace(clips.readers["rgb"], moments={})
    bare.features.tensor  # noqa: B018 - opened, and still not sent
    assert len(pickle.dumps(bare)) < 1000 < found["rgb"].nbytes


def test_only_features_of_the_right_size_are_given(store):
    root = store[0]
    data = open_clip_set(f"features:{root}")
    with pytest.raises(DataError, match=r"no features of 'smell'(.|\n)*rgb or audio"):
        data.reader("smell", FeatureInput(12))
    with pytest.raises(DataError, match=r"features of 12 numbers(.|\n)*expected: 13 numbers"):
        data.reader("rgb", FeatureInput(13))
    with pytest.raises(DataError, match=r"features of 12 numbers(.|\n)*expected: VideoInput"):
        data.reader("rgb", VideoInput())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_found(store, value):
    root, manifest, found = store
    found["rgb"][5, 2, 7] = value
    write_features(root, "rgb", found["rgb"], torch.zeros(len(manifest), 3, dtype=torch.float64) + torch.arange(3))
    reader = open_clip_set(f"features:{root}").reader("rgb", FeatureInput(12))
    uids = [clip.uid for clip in manifest.clips]
    with pytest.raises(DataError, match=f"features of {uids[5]} are not all finite"):
        reader.examine(uids[5])
    assert reader.examine(uids[4]) == manifest.clips[4].stop


def test_a_store_that_is_broken_is_refused(store):
    root, manifest, found = store
    refused = lambda text: pytest.raises(DataError, match=text)  # noqa: E731
    path, start = features_path(root, "audio"), torch.zeros(32, 3, dtype=torch.float64)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with refused("audio.safetensors cannot be read(.|\n)*extract the features again"):
        open_clip_set(f"features:{root}")
    write_features(root, "audio", found["audio"][:, :, :5].contiguous(), start)
    with refused(r"does not hold what features.json says(.|\n)*\(32, 3, 5, 'F32'\)(.|\n)*\(32, 3, 13, 'F32'\)"):
        open_clip_set(f"features:{root}")
    path.unlink()
    with refused("audio.safetensors cannot be read"):
        open_clip_set(f"features:{root}")
    path.write_bytes(whole)
    write_manifest(root / "manifest.csv", manifest.clips[:-1])
    with refused("manifest.csv is not the table of the stored features"):
        open_clip_set(f"features:{root}")
    about = json.loads((root / "features.json").read_text())
    (root / "features.json").write_text(json.dumps(about | {"version": 2}))
    with refused("another version(.|\n)*got:      2"):
        open_clip_set(f"features:{root}")
    (root / "features.json").write_text('{"clips": 3}')
    with refused("does not describe features"):
        open_clip_set(f"features:{root}")


def test_a_description_is_as_it_was_written_or_refused(store):
    root = store[0]
    path, clips = root / "features.json", open_clip_set(f"features:{root}")
    about = json.loads(path.read_text())
    assert len(about["digest"]) == 16 and about["span"]["fps"] == 30.0
    without = {name: value for name, value in about.items() if name != "digest"}
    path.write_text(json.dumps(without))
    again = open_clip_set(f"features:{root}")  # as before there were digests
    assert (again.stored, again.manifest) == (clips.stored, clips.manifest)
    changed = {
        "a frame rate": about | {"span": about["span"] | {"fps": 31.0}},
        "a lost key": {name: value for name, value in about.items() if name != "made"},
        "a renamed key": {"mode" if name == "made" else name: value for name, value in about.items()},
        "a new key": about | {"note": ""},
        "another digest": about | {"digest": "0" * 16},
    }
    for tree in changed.values():
        path.write_text(json.dumps(tree))
        with pytest.raises(
            DataError, match=rf"does not describe features(.|\n)*of digest [0-9a-f]+, where {tree['digest']} was"
        ):
            open_clip_set(f"features:{root}")
    for tree in (without | {"note": ""}, without | {"span": about["span"] | {"rate": 2}}):
        path.write_text(json.dumps(tree))
        with pytest.raises(DataError, match=r"does not describe features(.|\n)*extract the features again"):
            open_clip_set(f"features:{root}")


def test_a_store_that_is_not_finished_says_so(store):
    root = store[0]
    (root / "features.json").unlink()
    (root / "parts").mkdir()
    with pytest.raises(DataError, match=r"is not complete(.|\n)*same egonorm extract again"):
        open_clip_set(f"features:{root}")


def test_media_decide_nothing_and_are_not_opened():
    assert open_features("folder:/nowhere") is None
    with pytest.raises(DataError, match="/nowhere is not a folder"):
        open_features("features:/nowhere")
