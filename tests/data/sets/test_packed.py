"""Packed media show and sound what their source does, frame by frame, whatever stopped the packing or is wrong with a file."""

import os
import random
import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import media
import numpy as np
import pytest
import simplejpeg
import torch

from egonorm.core import DataError, RunError
from egonorm.core.files import locked
from egonorm.data import Clip, open_clip_set, write_manifest
from egonorm.data.check import find_problems
from egonorm.data.manifest import Manifest
from egonorm.data.readers.timed_images import Shot, TimedReader, open_timed, write_shots
from egonorm.data.sets.packed import packing as packing_module
from egonorm.data.sets.packed.packing import is_wanted, joined, pack_data
from egonorm.data.sets.packed.store import Packing, finish
from egonorm.data.transforms import AudioInput, VideoInput
from egonorm.data.windows import Span, Window
from egonorm.signal import Waveform

pytestmark = pytest.mark.slow

SPAN = Span(4, 3, 30.0)
INPUTS = {"rgb": VideoInput(SPAN, 120), "audio": AudioInput(Waveform(24000, 0.7))}
VARIABLE = np.cumsum([0, *random.Random(5).choices([100, 200, 300, 1100], k=99)]).tolist()
"""Frames of 33 ms, and pauses of up to 11 frames; the clock ticks 3000 times a second."""
NAMES = {"constant": "a.tar", "variable": "monday.1/cam 1.mkv", "late": "büro/..jpg.mkv"}


def write_movie(path: Path, ticks, clock: int = 30, rate: int = 48000) -> None:
    """Bar codes at these ticks, and a chirp that lasts as long, in a codec without noise that a decoder makes up (as AAC's)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    base = media.Fraction(1, clock)
    with media.av.open(str(path), "w", format="matroska") as container:
        video, audio = media.add_video(container, base, gop=40), media.add_sound(container, rate, codec="flac")
        for number, tick in enumerate(ticks):
            container.mux(video.encode(media.as_frame(media.bar_code(number), tick, base)))
        container.mux(video.encode(None))
        media.mux_sound(container, audio, media.chirp(ticks[-1] / clock, rate), rate)
        container.mux(audio.encode(None))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder of three videos with names of all kinds."""
    root = tmp_path_factory.mktemp("source")
    write_movie(root / NAMES["constant"], range(150))
    write_movie(root / NAMES["variable"], VARIABLE, 3000, 44100)
    write_movie(root / NAMES["late"], range(30, 120))
    clips = [
        Clip(f"{kind}-{k}", name, k + 1 / 3, k + 1.1, label, "D1", split)
        for kind, name in NAMES.items()
        for k, (label, split) in enumerate([("wash", "train"), ("cut", "train"), ("wash", "test")])
    ]
    write_manifest(root / "manifest.csv", clips)
    return root


def packed(data: str, root: Path, inputs=INPUTS, workers: int = 1, **options):
    """Pack some data, and open what was made."""
    opened = open_clip_set(data)
    packing = Packing(data, tuple(inputs), **options)
    done = pack_data(opened, inputs, root, packing, workers)
    assert not done.problems
    finish(root, packing, opened.manifest)
    return open_clip_set(f"packed:{root}")


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    return packed(f"folder:{source}", tmp_path_factory.mktemp("packed") / "whole")


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def windows_of(seconds: float, seed: str, number: int = 40) -> list[Window]:
    draw = random.Random(seed)
    starts = [draw.uniform(-0.5, seconds + 0.5) for _ in range(number)]
    return [Window(start, start + SPAN.seconds) for start in starts]


def codes(pictures: torch.Tensor) -> list[int]:
    return [media.read_bar_code(picture.numpy()) for picture in pictures.flatten(0, 1)]


@pytest.mark.parametrize("kind", NAMES)
def test_every_window_shows_and_sounds_what_the_source_does(source, whole, kind):
    data, name = open_clip_set(f"folder:{source}"), NAMES[kind]
    windows = [*windows_of(5.0, kind), Window(0.0, 0.4), Window(-9.0, -8.6), Window(90.0, 90.4)]
    asked = [each.reader("rgb", INPUTS["rgb"])(name, windows) for each in (data, whole)]
    assert asked[0].shape == asked[1].shape == (43, 4, 120, 160, 3) and asked[1].dtype == torch.uint8
    assert codes(asked[0]) == codes(asked[1]) and len(set(codes(asked[0]))) > 25
    assert (asked[0].float() - asked[1].float()).abs().mean() < 3
    heard = [each.reader("audio", INPUTS["audio"])(name, windows) for each in (data, whole)]
    assert heard[1].shape == (43, 16800) and heard[0].abs().max() > 0.3
    assert (heard[0] - heard[1]).abs().max() <= 0.501 / 32768
    for modality, given in INPUTS.items():
        was, is_now = (each.reader(modality, given).examine(name, thorough=True) for each in (data, whole))
        assert is_now == pytest.approx(was, abs=0.05)


def test_pictures_that_begin_late_and_end_early_are_held(whole):
    reader = whole.reader("rgb", INPUTS["rgb"])
    assert codes(reader(NAMES["late"], [Window(0.0, 0.4), Window(0.9, 1.3), Window(9.0, 9.4)])) == [
        *[0, 0, 0, 0],
        *[0, 0, 3, 6],
        *[89, 89, 89, 89],
    ]


def test_clips_and_classes_are_those_of_the_source(source, whole):
    manifest = open_clip_set(f"folder:{source}").manifest
    assert whole.manifest == manifest and whole.manifest.digest() == manifest.digest()
    assert f"Packed of folder:{source}: pictures of at most 256 pixels" in whole.notes[0]
    assert whole.layouts() == {"rgb": {"packed: rgb/MEDIUM": 3}, "audio": {"packed: audio/MEDIUM": 3}}


def test_times_keep_every_digit_and_classes_their_order(source, tmp_path):
    clips = (Clip("one", NAMES["constant"], 1 / 3, 2 / 3 + 1e-13, "wash", "D1", "train"),)
    data = replace(
        open_clip_set(f"folder:{source}"), manifest=Manifest(clips, ("wash", "cut", "a class without clips"))
    )
    packing = Packing("folder:x", ("audio",))
    assert not pack_data(data, {"audio": INPUTS["audio"]}, tmp_path, packing).problems
    finish(tmp_path, packing, data.manifest)
    assert open_clip_set(f"packed:{tmp_path}").manifest == data.manifest


def test_files_stay_inside_the_folder_and_other_names_are_other_files(source, tmp_path):
    root = tmp_path / "source" / "inner"
    root.mkdir(parents=True)
    names = ["../up.mkv", "a/b.mkv", "a%2Fb.mkv", "A b.mkv", "x" * 60 + "/" + "y" * 120 + ".mkv", "..", "é"]
    for name in set(names) - {".."}:
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(source / NAMES["constant"], root / name)
    names[5] = str(root / "a" / "b.mkv")  # a path from the root
    write_manifest(
        root / "manifest.csv", [Clip(str(k), name, 0.0, 1.0, "cut", "D1", "train") for k, name in enumerate(names)]
    )
    before = contents(tmp_path)
    data = packed(f"folder:{root}", tmp_path / "out", {"audio": INPUTS["audio"]})
    made = {name for name in contents(tmp_path).keys() - before.keys() if name.endswith(".wav")}
    assert len(made) == len(names) and all(Path(name).parts[:2] == ("out", "audio") for name in made)
    assert all(len(Path(name).name) < 200 for name in made)
    assert not find_problems(data.manifest, {"audio": data.reader("audio", INPUTS["audio"])}, thorough=True)


def test_large_pictures_become_smaller_and_small_ones_are_not_enlarged(source, tmp_path):
    inputs = {"rgb": VideoInput(SPAN, 60)}
    data = packed(f"folder:{source}", tmp_path / "60", inputs, short_side=60)
    index = open_timed(tmp_path / "60" / "rgb" / "a.tar.tar").index
    with tarfile.open(tmp_path / "60" / "rgb" / "a.tar.tar") as tar:
        sizes = {simplejpeg.decode_jpeg_header(tar.extractfile(member).read())[:2] for member in tar}
        members = [(member.offset_data, member.size) for member in tar.getmembers()]
    assert sizes == {(60, 80)} and len(index) == 151
    assert index["place"][:-1, 0].tolist() == [list(member) for member in members]
    window = [Window(2.0, 2.4)]
    assert codes(data.reader("rgb", inputs["rgb"])("a.tar", window)) == [60, 63, 66, 69]
    again = packed(f"packed:{tmp_path / '60'}", tmp_path / "30", {"rgb": VideoInput(SPAN, 30)}, short_side=30)
    assert again.reader("rgb", VideoInput(SPAN, 30))("a.tar", window).shape == (1, 4, 30, 40, 3)
    large = packed(f"packed:{tmp_path / '60'}", tmp_path / "same", {"rgb": VideoInput(SPAN, 256)})
    assert contents(large.root)["rgb/a.tar.tar"] == contents(data.root)["rgb/a.tar.tar"]


def test_pictures_that_come_in_disorder_are_shown_in_the_order_of_their_times(tmp_path):
    times = (0.0, 0.3, 0.1, 0.2, 0.4, 0.4)  # of two at one time the later one stands
    shots = [Shot(time, lambda code=code: (media.bar_code(code),)) for code, time in enumerate(times)]
    write_shots(tmp_path / "x.tar", iter(shots), 0.5, 90, lambda start, stop: True)
    reader = TimedReader(tmp_path, Span(6, 1, 10.0), None)
    assert codes(reader("x.tar", [Window(0.0, 0.6)])) == [0, 2, 3, 1, 5, 5]
    assert reader.examine("x.tar", thorough=True) == 0.5


def test_the_index_is_mapped_and_not_read(whole):
    index = open_timed(whole.root / "rgb" / "a.tar.tar").index
    assert isinstance(index, np.memmap) and index["time"].base is not None


def write_epic(root: Path) -> None:
    """A domain with pictures and flow as files, and sound."""
    rng = np.random.default_rng(0)
    header = (
        "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,start_frame,stop_frame,verb,"
        "verb_class,noun,noun_class,all_nouns,all_noun_classes"
    )
    row = "7,P08,P08_01,cut it,00:00:00.10,00:00:00.90,7,55,cut,5,it,0,['it'],[0]"
    root.mkdir()
    (root / "EPIC_train_action_labels.csv").write_text(f"{header}\n{row}\n")
    for folder, colours, number in (
        ("rgb/P08/P08_01", ("RGB", "444"), 60),
        ("flow/P08/P08_01/u", ("GRAY", "Gray"), 30),
        ("flow/P08/P08_01/v", ("GRAY", "Gray"), 30),
    ):
        (root / folder).mkdir(parents=True)
        for k in range(1, number + 1):
            pixels = rng.integers(0, 255, (32, 56, 3 if colours[0] == "RGB" else 1), dtype=np.uint8)
            (root / folder / f"frame_{k:010d}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, 95, *colours))
    media.write_sound(root / "P08_01.wav", media.chirp(1.0, 24000), 24000, codec="pcm_s16le")


def test_jpeg_pictures_keep_their_bytes_and_flow_is_packed_too(tmp_path):
    write_epic(tmp_path / "epic")
    span = Span(8, 2, 60.0)
    inputs = {"rgb": VideoInput(span, 32), "flow": VideoInput(span, 32, displacement=True), "audio": INPUTS["audio"]}
    data, source = packed(f"epic55:{tmp_path / 'epic'}", tmp_path / "packed", inputs), tmp_path / "epic"
    for name, folder, inside in (("rgb", "rgb", ""), ("flow", "flow", "u/"), ("flow", "flow", "v/")):
        with tarfile.open(tmp_path / "packed" / name / "P08_01.tar") as tar:
            for file in (source / folder / "P08" / "P08_01" / inside).iterdir():
                assert tar.extractfile(inside + file.name).read() == file.read_bytes()
    unpacked = open_clip_set(f"epic55:{source}")
    assert data.manifest == unpacked.manifest and data.manifest.classes == unpacked.manifest.classes
    windows = [Window(k / 60, k / 60 + span.seconds) for k in range(-20, 70)]
    for name, given in inputs.items():
        assert torch.equal(*(each.reader(name, given)("P08_01", windows) for each in (data, unpacked))), name
    small = packed(f"epic55:{source}", tmp_path / "small", {"flow": VideoInput(span, 16)}, short_side=16)
    seen = [each.reader("flow", VideoInput(span, 16))("P08_01", windows) for each in (small, unpacked)]
    assert seen[0].shape == (90, 8, 16, 28, 2) and (seen[0].float() - seen[1].float()).abs().mean() < 4


def test_stretches_are_joined_and_asked():
    assert joined([(5.0, 6.0), (1.0, 3.0), (2.0, 2.5), (3.0, 4.0)]) == ((1.0, 4.0), (5.0, 6.0))
    asked = [(-1.0, 1.0), (0.0, 1.1), (3.9, 4.5), (4.0, 5.0), (4.0, 5.1), (6.0, 9.0), (5.9, 9.0)]
    assert [is_wanted(((1.0, 4.0), (5.0, 6.0)), *times) for times in asked] == [
        *(False, True, True, False, True),
        False,
        True,
    ]


def test_the_surroundings_of_clips_alone_and_an_error_elsewhere(source, whole, tmp_path):
    clips = (Clip("x", "a.tar", 2.5, 2.6, "cut", "D1", "train"),)
    data = replace(open_clip_set(f"folder:{source}"), manifest=Manifest(clips, ("cut",)))
    packing = Packing("folder:x", ("rgb",), clips=data.manifest.digest())
    assert not pack_data(data, {"rgb": INPUTS["rgb"]}, tmp_path, packing).problems
    finish(tmp_path, packing, data.manifest)
    near = open_clip_set(f"packed:{tmp_path}")
    index = open_timed(tmp_path / "rgb" / "a.tar.tar").index
    kept = np.flatnonzero(index["place"][:, 0, 1]).tolist()
    assert kept == list(range(15, 138)) and len(index) == 151
    reader, window = near.reader("rgb", INPUTS["rgb"]), [Window(0.6, 1.0), Window(4.1, 4.5)]
    assert torch.equal(reader("a.tar", window), whole.reader("rgb", INPUTS["rgb"])("a.tar", window))
    assert reader.examine("a.tar", thorough=True) == 5.0 and "around its clips" in near.notes[0]
    with pytest.raises(DataError, match=r"(?s)a\.tar\.tar shows at 0\.417 s was left out.*without --clips-only"):
        reader("a.tar", [Window(2.0, 2.4), Window(0.4, 0.8)])


def test_what_was_stopped_goes_on_medium_by_medium_and_ends_the_same(source, whole, tmp_path):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    data = f"folder:{source}"
    with pytest.raises(KeyboardInterrupt):
        pack_data(open_clip_set(data), INPUTS, tmp_path, Packing(data, tuple(INPUTS)), 1, stop)
    with pytest.raises(DataError, match=r"(?s)is not complete.*Run again: egonorm data pack folder:"):
        open_clip_set(f"packed:{tmp_path}")
    (tmp_path / "rgb" / ".late.partial").write_bytes(b"left by a killed process")
    index = next((tmp_path / "rgb").glob("*.npy"))
    index.unlink()  # as if killed between the pictures and their index
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    assert packed(f"folder:{source}", tmp_path, workers=2).manifest == whole.manifest
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert not (tmp_path / "rgb" / ".late.partial").exists()
    assert contents(tmp_path) == contents(whole.root)


def test_a_medium_that_ends_the_process_that_packs_it_is_named_and_the_others_are_packed(source, tmp_path, monkeypatch):
    pack_medium, deadly, data = packing_module.pack_medium, NAMES["variable"], f"folder:{source}"
    monkeypatch.setattr(
        packing_module, "pack_medium", lambda job: os.kill(os.getpid(), 15) if job.media == deadly else pack_medium(job)
    )
    done = pack_data(open_clip_set(data), INPUTS, tmp_path, Packing(data, tuple(INPUTS)), 2)
    assert {(p.media, p.error.got, len(p.uids)) for p in done.problems} == {(deadly, "signal 15 (SIGTERM)", 3)}
    assert {one.media for one in done.made} == {NAMES["constant"], NAMES["late"]}


def test_a_full_disk_leaves_nothing_half_written(source, whole, tmp_path, monkeypatch):
    sync, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 2:  # the folder has been claimed
            raise OSError(28, "No space left on device")
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(RunError, match=r"(?s)could not be written.*the disk is full.*what was saved stands"):
            packed(f"folder:{source}", tmp_path)
    assert contents(tmp_path).keys() == {"packed.json"}
    packed(f"folder:{source}", tmp_path)
    assert contents(tmp_path) == contents(whole.root)


def test_broken_media_and_late_clips_are_told_and_the_rest_is_packed(source, tmp_path):
    root, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(source, root)
    media.spoil(root / NAMES["constant"], 2.4)
    (root / NAMES["variable"]).unlink()
    data = open_clip_set(f"folder:{root}")
    clips = (*data.manifest.clips, Clip("long", NAMES["late"], 3.0, 9.0, "cut", "D1", "train"))
    data = replace(data, manifest=Manifest(clips, data.manifest.classes))
    packing = Packing("x", ("rgb", "audio"))
    found = {(p.media, p.modality): p for p in pack_data(data, INPUTS, out, packing).problems}
    assert found.keys() == {
        (NAMES["constant"], "rgb"),
        *((NAMES[kind], modality) for kind in ("variable", "late") for modality in INPUTS),
    }
    assert "cannot be decoded at 2.4" in found[NAMES["constant"], "rgb"].error.what
    assert found[NAMES["constant"], "rgb"].uids == ("constant-0", "constant-1", "constant-2")
    assert found[NAMES["variable"], "audio"].error.got == "no such file"
    assert found[NAMES["late"], "rgb"].uids == ("long",)
    late = "b%C3%BCro%2F..jpg.mkv"
    assert contents(out).keys() == {
        "packed.json",
        f"rgb/{late}.tar",
        f"rgb/{late}.tar.npy",
        f"rgb/{late}.tar.sha256",
        f"audio/{late}.wav",
        f"audio/{late}.wav.sha256",
        "audio/a.tar.wav",
        "audio/a.tar.wav.sha256",
    }


def test_two_calls_at_a_time_do_not_write_the_same_folder(source, whole, tmp_path):
    packed(f"folder:{source}", tmp_path)
    taken = RunError("x", got="", expected="", remedy="")
    with (
        locked(tmp_path / ".lock", wait=False, taken=taken),
        pytest.raises(RunError, match="filled by another process"),
    ):
        packed(f"folder:{source}", tmp_path)


def test_other_packings_and_foreign_folders_are_refused(source, whole, tmp_path):
    before = contents(whole.root)
    with pytest.raises(DataError, match=r"(?s)packed otherwise.*got: +quality 50.*expected: quality 90"):
        packed(f"folder:{source}", whole.root, quality=50)
    assert contents(whole.root) == before
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match=r"(?s)is not empty.*thesis.tex.*nothing has been changed"):
        packed(f"folder:{source}", tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        packed(f"folder:{source}", tmp_path / "thesis.tex")
    assert contents(tmp_path) == {"thesis.tex": b"precious"}
    with pytest.raises(DataError, match=r"(?s)has no modality 'flow'.*got: +flow"):
        whole.reader("flow", VideoInput(SPAN, 120, displacement=True))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("rgb/a.tar.tar", lambda data: data[: len(data) // 2], "where its index tells of pictures up to byte"),
        ("rgb/a.tar.tar", None, "No such file"),
        ("rgb/a.tar.tar.npy", None, "No such file"),
        ("rgb/a.tar.tar.npy", lambda data: data[:-1000], "an array of shape"),
        ("rgb/a.tar.tar.npy", lambda data: b"nonsense", "magic string is not correct"),
        ("rgb/a.tar.tar.npy", lambda data: b"", "reading magic string"),
        ("audio/a.tar.wav", lambda data: data[: len(data) // 2], "a.tar.wav is truncated"),
    ],
)
def test_packed_files_that_are_damaged_are_told(whole, tmp_path, name, change, message):
    root = tmp_path / "copy"
    shutil.copytree(whole.root, root)
    content = (root / name).read_bytes()
    (root / name).unlink()
    if change:
        (root / name).write_bytes(change(content))
    data = open_clip_set(f"packed:{root}")
    (problem,) = find_problems(data.manifest, {m: data.reader(m, given) for m, given in INPUTS.items()})
    assert message in str(problem.error) and problem.media == "a.tar"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("packed.json", "[]", "does not describe packed media"),
        ("packed.json", None, "does not describe packed media"),
        (
            "manifest.csv",
            "uid,media,start,stop,label,domain,split\nx,a.tar,0,1,cut,D1,train\n",
            "is not the table of the packed",
        ),
    ],
)
def test_a_folder_that_is_no_packing_is_told(whole, tmp_path, name, content, message):
    root = tmp_path / "copy"
    shutil.copytree(whole.root, root)
    (root / name).unlink()
    if content:
        (root / name).write_text(content)
    with pytest.raises(DataError, match=message):
        open_clip_set(f"packed:{root}")


def test_a_changed_description_is_told(whole, tmp_path):
    root = shutil.copytree(whole.root, tmp_path / "copy")
    text = (root / "packed.json").read_text()
    for before, after in (
        ('"quality": 90', '"quality": 91'),
        ('"clips": ', '"clip": '),
        ('"manifest": ', '"manifests": '),
    ):
        assert text.count(before) == 1
        (root / "packed.json").write_text(text.replace(before, after))
        with pytest.raises(DataError, match=r"does not describe packed media(.|\n)*a content of digest"):
            open_clip_set(f"packed:{root}")
    (root / "packed.json").write_text(re.sub(r',\n  "digest": "\w+"', "", text))  # as before there were digests
    assert open_clip_set(f"packed:{root}").manifest == whole.manifest


def test_another_version_is_told(whole, tmp_path):
    text = (whole.root / "packed.json").read_text().replace('"version": 1', '"version": 2')
    (tmp_path / "packed.json").write_text(text)
    with pytest.raises(DataError, match=r"(?s)of another version.*got: +2"):
        open_clip_set(f"packed:{tmp_path}")


@pytest.mark.parametrize("name", ["*.tar", "*.npy", "*.wav"])
def test_a_changed_byte_is_found_by_its_digest(whole, tmp_path, name):
    root = shutil.copytree(whole.root, tmp_path / "packed")
    path = min(root.rglob(name))
    data = open_clip_set(f"packed:{root}")
    assert data.verify(thorough=True) == data.verify(thorough=False) == ()
    content = bytearray(path.read_bytes())
    content[-700 if name == "*.tar" else -5] ^= 1
    path.write_bytes(content)
    assert data.verify(thorough=False) == ()
    with pytest.raises(DataError, match=rf"is not as it was packed(.|\n)*another content of {re.escape(path.name)}"):
        data.verify(thorough=True)
    number = len(list(root.rglob("*.sha256")))
    for digests in root.rglob("*.sha256"):
        digests.unlink()
    told = f"No digest, so that damage could not be seen: {number} of {number} packed media."
    assert data.verify(thorough=True) == (told,)


def test_an_index_that_lies_is_refused(whole, tmp_path):
    root = shutil.copytree(whole.root, tmp_path / "packed")
    path = min(root.rglob("*.npy"))
    index = np.load(path)
    lies = (("place", -5, "times or places"), ("place", 2**62, "times or places"), ("time", np.nan, "times or places"))
    for field, value, told in (
        *lies,
        ("number", 2**40, "does not number its pictures"),
        ("number", 0, "does not number"),
    ):
        wrong = index.copy()
        wrong[field][0] = value
        np.save(path, wrong)
        with pytest.raises(DataError, match=rf"cannot be opened(.|\n)*{told}"):
            open_timed(path.with_suffix(""))
