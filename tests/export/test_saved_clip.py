"""Saved clips: what the network saw and answered, for any data and modalities, and a sentence for what cannot be saved."""

import shutil
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from clip_runs import STEP, features_run, keep, narrow_run, store_of
from egonorm.core import DataError, RunError, Setting
from egonorm.core.errors import some
from egonorm.core.files import write_atomically
from egonorm.data.manifest import Clip, write_manifest
from egonorm.data.sets import open_clip_set
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from egonorm.data.transforms import VideoInput
from egonorm.data.windows import Span
from egonorm.export.activation import find_maps, frame_moments, inputs_of, windows_of
from egonorm.export.save import Saver, save_clips
from egonorm.export.saved_clip import clip_path, read_clip, video_path
from egonorm.export.video import plays
from egonorm.methods.ada_bn import AdaBn
from egonorm.nets.grad_cam import class_maps
from egonorm.runs.config import load_trained
from egonorm.runs.results import last, read_records
from egonorm.runs.run import Options, RunContext, execute
from egonorm.signal import LogMel
from egonorm.training.runtime import start_runtime

sys.path[:0] = [str(Path(__file__).parents[1] / "data" / name) for name in ("readers", "sets")]
import media  # noqa: E402
import stores  # noqa: E402
import test_epic55 as epic  # noqa: E402

pytestmark = pytest.mark.slow

UID = "D2_test_00_0"


@pytest.fixture
def record(kitchens, tmp_path):
    return keep(narrow_run(f"kitchens:{kitchens}"), tmp_path)


def played(path: Path) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """The pictures, the sound and the codecs of a file."""
    with av.open(path) as container:
        names = [stream.codec_context.name for stream in container.streams]
        frames = [x.to_ndarray(format="rgb24") for x in container.decode(video=0)] if "h264" in names else []
    with av.open(path) as container:
        sound = [x.to_ndarray()[0] for x in container.decode(audio=0)] if "aac" in names else [np.zeros(0)]
    return frames, np.concatenate(sound), names


def test_what_is_saved_is_what_the_network_saw_and_answered(record):
    saved = Saver(record).save(UID)
    data = open_clip_set(record.run.data)
    clip = next(clip for clip in data.manifest.clips if clip.uid == UID)
    assert (saved.run, saved.method, saved.seed, saved.step) == (record.folder.name, "source-only", 0, STEP)
    assert (saved.uid, saved.domain, saved.classes[saved.label]) == (UID, "D2", clip.label)
    assert (saved.start, saved.stop, saved.missing, saved.note) == (clip.start, clip.stop, "", "")
    net, _ = load_trained(record.folder, record.run, STEP)
    windows, inputs = windows_of(record.run, clip), inputs_of(record.run, data, data.manifest, clip)
    with torch.no_grad():
        features = net.features(inputs)
        expected = {"fused": net.classify(features)} | net.classify_each(features)
    assert list(saved.scores) == list(expected)
    for name, logits in expected.items():
        np.testing.assert_allclose(saved.scores[name], logits.softmax(1).mean(0), rtol=1e-5)
    assert saved.norms["audio"] == pytest.approx(float(features["audio"].norm(dim=1).mean()), rel=1e-5)
    times = [time for window in windows for time in record.run.net.span.times(window.start)]
    assert len(saved.times) == len(saved.frames) == 16 and set(saved.times) == {round(time, 6) for time in times}
    for time, picture in zip(saved.times, saved.pictures(), strict=True):
        window, place = divmod([round(t, 6) for t in times].index(time), 8)
        seen = inputs["rgb"][window, place].numpy().astype(int)
        assert picture.shape == (64, 64, 3) and np.abs(picture - seen).mean() < 5, "JPEG, the centre crop"
    sound = saved.sounds["audio"]
    np.testing.assert_allclose(sound.look, inputs["audio"][1, 0], atol=0.01)
    assert (
        sound.look.shape == (128, 128)
        and len(sound.waveform) == 30696
        and sound.stop - sound.start == pytest.approx(1.279)
    )
    assert sound.frequencies[0] == 0 and sound.frequencies[-1] == pytest.approx(12000, rel=0.01)


def test_maps_are_of_the_true_class_and_of_the_answer(record):
    saved = Saver(record).save(UID)
    data, run = open_clip_set(record.run.data), record.run
    clip = next(clip for clip in data.manifest.clips if clip.uid == UID)
    net, _ = load_trained(record.folder, run, STEP)
    inputs = inputs_of(run, data, data.manifest, clip)
    assert {label for label, _, _ in saved.maps} == {saved.label, saved.answer}
    for label in {saved.label, saved.answer}:
        found = saved.maps_of(label)
        expected = class_maps(net, inputs, torch.full((2,), label))
        np.testing.assert_allclose(found["audio"], expected["audio"][1], rtol=2e-3, atol=1e-6)
        assert found["rgb"].shape == (16, 2, 2)
        assert found["rgb"].max() <= float(expected["rgb"].max()) * 1.001
        np.testing.assert_allclose(found["rgb"][0], expected["rgb"][0, 0], rtol=2e-3, atol=1e-6)
        assert list(saved.maps_of(label, "audio")) == ["audio"]
    other = next(k for k in range(8) if k not in (saved.label, saved.answer))
    assert saved.maps_of(other) == {}


def test_maps_of_many_frames_change_between_them(kitchens, tmp_path):
    run = narrow_run(f"kitchens:{kitchens}", ("rgb",))
    span = Span(16, 2, 30.0)
    stream = run.net.streams["rgb"]
    stream = replace(stream, input=replace(stream.input, span=span))
    run = replace(run, net=replace(run.net, span=span, streams={"rgb": stream}))
    record = keep(run, tmp_path)
    saved = Saver(record).save(UID)
    data = open_clip_set(run.data)
    clip = next(clip for clip in data.manifest.clips if clip.uid == UID)
    net, _ = load_trained(record.folder, run, STEP)
    maps = class_maps(net, inputs_of(run, data, data.manifest, clip), torch.full((2,), saved.answer))["rgb"]
    assert maps.shape[1] == 2
    windows = windows_of(run, clip)
    found = saved.maps_of(saved.answer)["rgb"]
    for moment, x in zip(frame_moments(run, windows), found, strict=True):
        frame = np.argmin(np.abs(np.array(span.times(windows[moment.window].start)) - moment.time))
        part = min(max(2 * (frame + 0.5) / 16 - 0.5, 0), 1)
        expected = (1 - part) * maps[moment.window, 0] + part * maps[moment.window, 1]
        np.testing.assert_allclose(x, expected, rtol=5e-3, atol=1e-5)


def test_the_scores_are_those_that_judging_stored(run, tmp_path):
    folder = tmp_path / "run"
    with start_runtime("cpu") as runtime:
        execute(RunContext(run, folder, runtime, Options()))
    (record,), _ = read_records([folder], last)
    with np.load(folder / "predictions" / "000004-D2.npz") as stored:
        uids, scores, norms = stored["uids"], stored["scores/fused"], stored["norms/rgb"]
    saved = Saver(record).save(str(uids[3]))
    np.testing.assert_allclose(saved.scores["fused"], scores[3], rtol=1e-4)
    assert saved.norms["rgb"] == pytest.approx(float(norms[3]), rel=1e-4)


def test_nothing_is_made_twice_and_what_is_broken_is_made_anew(record, monkeypatch):
    assert save_clips({record: [UID, "D2_test_00_1"]}) == ()
    files = sorted((record.folder / "clips").iterdir())
    assert [path.name for path in files] == [f"D2_test_00_{k}.{end}" for k in (0, 1) for end in ("mp4", "npz")]
    before = {path: path.stat().st_mtime_ns for path in files}
    monkeypatch.setattr("egonorm.export.save.open_clip_set", lambda text: pytest.fail("the data were opened"))
    assert save_clips({record: [UID, "D2_test_00_1"]}) == ()
    monkeypatch.undo()
    clip_path(record.folder, UID).write_bytes(b"nonsense")
    with pytest.raises(RunError, match=r"D2_test_00_0\.npz cannot be read(.|\n)*Remove the file"):
        read_clip(record.folder, UID)
    assert save_clips({record: [UID, "D2_test_00_1"]}) == () and read_clip(record.folder, UID).uid == UID
    assert {path for path in before if path.stat().st_mtime_ns != before[path]} == set(files[:2])
    assert read_clip(record.folder, "never saved") is None


def test_the_video_plays_and_is_small(record):
    Saver(record).save(UID)
    path = video_path(record.folder, UID)
    frames, sound, names = played(path)
    assert names == ["h264", "aac"] and frames[0].shape == (180, 240, 3)
    saved = read_clip(record.folder, UID)
    seconds = min(saved.stop - saved.start, 10)
    assert seconds - 0.1 <= len(frames) / 15 <= seconds + 2.2 and len(sound) / 32000 == pytest.approx(
        len(frames) / 15, abs=0.05
    )
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat") and len(content) < 200_000


@pytest.mark.parametrize("modalities", [("rgb",), ("audio",), ("audio", "rgb")])
def test_people_see_and_hear_also_what_the_network_does_not(kitchens, tmp_path, modalities):
    saved = Saver(record := keep(narrow_run(f"kitchens:{kitchens}", modalities), tmp_path)).save(UID)
    assert played(video_path(record.folder, UID))[2] == ["h264", "aac"]
    assert list(saved.sounds) == [name for name in modalities if name == "audio"]
    assert len(saved.frames) == 16 and set(saved.maps_of(saved.label)) == set(modalities)


@pytest.mark.slow
def test_flow_is_shown_on_pictures(tmp_path):
    config = KitchensConfig(clips=24, kitchens=2, seed=1, size=(48, 64))
    render_kitchens(tmp_path / "k", config, flow=True)
    saved = Saver(keep(narrow_run(f"kitchens:{tmp_path / 'k'}", ("audio", "flow")), tmp_path)).save(UID)
    assert saved.maps_of(saved.answer)["flow"].shape == (16, 2, 2)
    assert saved.pictures()[0].shape == (112, 112, 3), "the usual look at pictures, since the network has none"


@pytest.mark.parametrize(("fusion", "own"), [("sum", 1.0), ("concat", 2.0)])
def test_concatenated_streams_have_maps_of_their_own(kitchens, tmp_path, monkeypatch, fusion, own):
    def told(net, inputs, classes, logit="fused"):
        names = net.encoders if logit == "fused" else [logit]
        shapes = {"rgb": (2, 1, 2, 2), "audio": (2, 4, 4)}
        return {name: torch.full(shapes[name], 1.0 if logit == "fused" else 2.0) for name in names}

    monkeypatch.setattr("egonorm.export.activation.class_maps", told)
    saved = Saver(keep(narrow_run(f"kitchens:{kitchens}", fusion=fusion), tmp_path)).save(UID)
    for name in ("rgb", "audio"):
        assert saved.maps_of(saved.answer)[name].max() == 1 and saved.maps_of(saved.answer, name)[name].min() == own


def write_folder(root: Path, sound: bool = True) -> str:
    """Ten seconds of numbered pictures, 30 a second, with a chirp; clips in the middle, at both ends, and of all of it."""
    root.mkdir()
    with av.open(root / "it.mkv", "w") as container:
        video = media.add_video(container, Fraction(1, 30), options={"crf": "10"})
        audio = media.add_sound(container, 48000) if sound else None
        for number in range(360):
            container.mux(video.encode(media.as_frame(media.bar_code(number), number, Fraction(1, 30))))
        container.mux(video.encode(None))
        if sound:
            media.mux_sound(container, audio, media.chirp(12.0, 48000), 48000)
            container.mux(audio.encode(None))
    times = {"early": (0.0, 0.4), "middle": (4.0, 6.0), "late": (11.5, 12.0), "all": (0.0, 12.0)}
    clips = [Clip(uid, "it.mkv", *when, "cut", d, s) for uid, when in times.items() for d, s in [("D2", "test")]]
    write_manifest(root / "manifest.csv", [Clip("t", "it.mkv", 1.0, 2.0, "cut", "D1", "train"), *clips])
    return f"folder:{root}"


@pytest.mark.parametrize(
    ("uid", "low", "high"), [("early", 0, 1.5), ("middle", 4, 6), ("late", 10.5, 12), ("all", 1, 11)]
)
def test_pictures_and_sound_are_together_and_around_the_action(tmp_path, uid, low, high):
    record = keep(narrow_run(write_folder(tmp_path / "clips")), tmp_path)
    saved = Saver(record).save(uid)
    frames, sound, _ = played(video_path(record.folder, uid))
    numbers = [media.read_bar_code(frame) for frame in frames]
    assert low - 0.05 <= numbers[0] / 30 and numbers[-1] / 30 <= high + 0.05
    assert all(b - a == 2 for a, b in pairwise(numbers)) and len(frames) <= 150
    assert abs(chirp_lateness(sound, 32000, numbers[0] / 30)) < 1 / 30 + 0.002, "within a picture of where it belongs"
    heard = saved.sounds["audio"]
    assert abs(chirp_lateness(heard.waveform, 24000, heard.start)) < 0.012


def chirp_lateness(sound: np.ndarray, rate: int, start: float) -> float:
    """By how many seconds the chirp of a file is heard later than it should be, in sound that is said to begin at `start`."""
    whole, piece, first = media.chirp(12.0, rate)[0], sound[8000:16000], round(start * rate) + 8000
    shifts = range(-1600, min(1600, len(whole) - first - 8000))
    likeness = [np.dot(piece, whole[first + k : first + k + 8000]) for k in shifts]
    return -shifts[int(np.argmax(likeness))] / rate


def test_media_without_sound_are_shown_without(tmp_path):
    record = keep(narrow_run(write_folder(tmp_path / "clips", sound=False), ("rgb",)), tmp_path)
    saved = Saver(record).save("middle")
    assert played(video_path(record.folder, "middle"))[2] == ["h264"] and saved.sounds == {}


def test_epic_kitchens_as_pictures_and_wav(tmp_path):
    root = tmp_path / "epic"
    epic.write_splits(root / "splits")
    epic.write_pictures(root / "P01_11", 1)
    epic.write_wav(root / "P01_11.wav")
    run = narrow_run(f"epic55:{root}", ("rgb", "audio"))
    streams = dict(run.net.streams)
    streams["audio"] = replace(
        streams["audio"],
        input=replace(streams["audio"].input, spectrogram=LogMel(seconds=0.5)),
        encoder=replace(streams["audio"].encoder, name="aisfx"),
    )
    record = keep(replace(run, net=replace(run.net, streams=streams)), tmp_path)
    (clip,) = open_clip_set(run.data).manifest.select(["D2"], "test").clips
    saved = Saver(record).save(clip.uid)
    frames, sound, names = played(video_path(record.folder, clip.uid))
    assert names == ["h264", "aac"] and frames[0].shape == (180, 316, 3) and np.abs(sound).max() > 0.3
    assert saved.maps_of(saved.label)["audio"].shape == (12, 2) and saved.sounds["audio"].frequencies[-1] < 22050
    assert saved.sounds["audio"].start >= 0 and saved.sounds["audio"].stop <= 2.0


def test_features_are_shown_by_the_media_that_they_were_computed_of(kitchens, tmp_path):
    record = keep(features_run(store_of(tmp_path / "features", f"kitchens:{kitchens}")), tmp_path)
    saved = Saver(record).save(UID)
    assert saved.maps == {} and saved.frames == () and "features, which have no place" in saved.missing
    assert set(saved.scores) == {"fused", "rgb", "audio"} and played(video_path(record.folder, UID))[2] == [
        "h264",
        "aac",
    ]


def test_features_whose_media_are_not_known_or_not_there_are_a_sentence(kitchens, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(kitchens, moved)
    first = keep(features_run(store_of(tmp_path / "features", f"kitchens:{moved}")), tmp_path)
    shutil.rmtree(moved)
    stores_root = tmp_path / "foreign"
    stores_root.mkdir()
    clips = stores.clips_of()
    write_manifest(stores_root / "manifest.csv", clips)
    for name in ("rgb", "audio"):
        np.save(stores_root / f"{name}.npy", np.random.default_rng(0).normal(size=(len(clips), 6)).astype(np.float32))
    second = keep(features_run(f"features:{stores_root}"), tmp_path)
    found = save_clips({first: [UID, "D2_test_00_1"], second: ["D2-test-0"]})
    assert len(found) == 2 and f"{UID}, D2_test_00_1. {moved} is not a folder" in found[0]
    assert "do not say what they were computed of" in found[1] and not (first.folder / "clips").exists()


def test_what_cannot_be_saved_is_a_sentence_for_each_reason(record, kitchens, tmp_path):
    root = tmp_path / "broken"
    shutil.copytree(kitchens, root)
    manifest = open_clip_set(f"kitchens:{root}").manifest
    broken = next(clip.media for clip in manifest.clips if clip.uid == UID)
    (root / broken).write_bytes(b"nonsense")
    first = keep(narrow_run(f"kitchens:{root}"), tmp_path)
    whole = next(clip.uid for clip in manifest.clips if clip.media != broken and clip.domain == "D2")
    shutil.rmtree(record.folder / "checkpoints")
    other = keep(narrow_run(f"kitchens:{kitchens}", ("audio",)), tmp_path, classes=("a", "b"))
    told = []
    found = save_clips({first: [UID, whole, "x"], record: [UID, whole], other: [UID]}, lambda *done: told.append(done))
    assert len(found) == 4 and all("\n" not in sentence for sentence in found) and told[-1] == (6, 6)
    assert found[0].startswith(f"Not shown: {UID}. ") and "cannot be read" in found[0]
    assert found[1].startswith("Not shown: x. There is no clip 'x'")
    assert "has no network of step 4" in found[2] and "have other classes" in found[3]
    assert {path.name for path in (first.folder / "clips").iterdir()} == {f"{whole}.npz", f"{whole}.mp4"}
    shutil.move(root, tmp_path / "elsewhere")
    assert save_clips({first: [whole]}) == (), "what is saved needs no data"


def test_an_unknown_uid_is_answered_with_near_ones(record):
    with pytest.raises(DataError, match=r"no clip 'D2_tst_00_0'(.|\n)*such as D2_test_00_0"):
        Saver(record).save("D2_tst_00_0")


def test_any_uid_is_a_file_inside_the_folder(tmp_path):
    root = tmp_path / "clips"
    data = write_folder(root)
    text = (root / "manifest.csv").read_text().replace("middle", "../../a b/ü%")
    (root / "manifest.csv").write_text(text)
    record = keep(narrow_run(data, ("audio",)), tmp_path)
    assert Saver(record).save("../../a b/ü%").uid == "../../a b/ü%"
    assert {path.name for path in (record.folder / "clips").iterdir()} == {
        "..%2F..%2Fa%20b%2F%C3%BC%25.npz",
        "..%2F..%2Fa%20b%2F%C3%BC%25.mp4",
    }


def test_a_method_that_adapts_to_the_target_is_said_to(kitchens, tmp_path):
    run = narrow_run(f"kitchens:{kitchens}", ("audio",), method=AdaBn(), setting=Setting.parse("uda:D1:D2"))
    record = keep(run, tmp_path)
    assert "adapts its network to the target" in Saver(record).save(UID).note
    assert Saver(record).save("D1_test_00_0").note == ""


def test_moments_are_in_order_and_seen_once():
    run = narrow_run("kitchens:/nowhere")
    run = replace(run, evaluation=replace(run.evaluation, num_windows=5))
    short, long = (Clip("c", "m", 10.0, stop, "cut", "D2", "test") for stop in (10.2, 40.0))
    for clip in (short, long):
        windows = windows_of(run, clip)
        moments = frame_moments(run, windows)
        times = [moment.time for moment in moments]
        assert times == sorted(set(times)) and len(times) == 16 and len(frame_moments(run, windows, 3)) == 3
        assert times[0] == pytest.approx(run.net.span.times(windows[0].start)[0], abs=1e-5)
        assert times[-1] == pytest.approx(run.net.span.times(windows[-1].start)[-1], abs=1e-5)
        assert all(windows[m.window].start < m.time < windows[m.window].stop for m in moments)
    assert isinstance(run.net.streams["rgb"].input, VideoInput)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_with_as_many_maps_as_frames_each_frame_has_its_own(monkeypatch, stride):
    run, span = narrow_run("kitchens:/nowhere", ("rgb",)), Span(16, stride, 30.0)
    run = replace(run, net=replace(run.net, span=span))
    windows = windows_of(run, Clip("c", "m", 10.0, 40.0, "cut", "D2", "test"))
    maps = torch.arange(2 * 16.0).reshape(2, 16, 1, 1).expand(2, 16, 2, 2)
    monkeypatch.setattr("egonorm.export.activation.class_maps", lambda *_: {"rgb": maps})
    moments = frame_moments(run, windows, 32)
    found = find_maps(run, run.build_net(2), {}, windows, moments, 0)[0, "fused", "rgb"]
    assert found[:, 0, 0].tolist() == [16 * moment.window + moment.frame for moment in moments] == list(range(32))
    assert [moment.time for moment in moments[:16]] == pytest.approx(span.times(windows[0].start), abs=1e-6)


@pytest.mark.parametrize("left", [0, 0.5, 0.999])
def test_a_video_that_is_cut_is_made_anew(record, left):
    Saver(record).save(UID)
    path = video_path(record.folder, UID)
    whole = path.read_bytes()
    assert plays(path)
    path.write_bytes(whole[: int(left * len(whole))])
    assert not plays(path)
    Saver(record).save(UID)
    assert plays(path) and len(path.read_bytes()) > 0.9 * len(whole)


@pytest.mark.parametrize("name", ["наливать_воду_в_кастрюлю_" * 4, "倒水" * 100, "a/" * 200, "\ud800" * 100])
def test_long_names_are_files_and_others_are_other_files(tmp_path, name):
    paths = [clip_path(tmp_path, uid) for uid in (name, name + "1", name + "2")]
    assert len(set(paths)) == 3 and not any(path.exists() for path in paths)
    for path in paths:
        write_atomically(path, b"it")
        assert path.parent == tmp_path / "clips" and video_path(tmp_path, name).suffix == ".mp4"


def test_one_cause_is_one_sentence_whatever_the_clips_are_called(kitchens, tmp_path):
    root = tmp_path / "broken"
    shutil.copytree(kitchens, root)
    record = keep(narrow_run(f"kitchens:{root}"), tmp_path)
    clips = open_clip_set(f"kitchens:{root}").manifest.select(["D1", "D2"], "test").clips
    for clip in clips:
        (root / clip.media).write_bytes(b"nonsense")
    uids = sorted(clip.uid for clip in clips)
    assert len({clip.media for clip in clips}) > 1 and len(uids) > 2
    broken, unknown = save_clips({record: [*uids, "no such", "other-7"]})
    assert broken.startswith(f"Not shown: {some(uids)}. Of the first: ") and "cannot be read" in broken
    assert unknown.startswith("Not shown: no such, other-7. Of the first: There is no clip 'no such'")
