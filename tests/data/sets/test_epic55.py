"""EPIC-Kitchens-55 in miniature: every layout shows the same pictures and the same sound, and what lacks is told."""

import pickle
import shutil
import tarfile
import wave
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import simplejpeg
import torch

from egonorm.core import DataError
from egonorm.data.manifest import Clip
from egonorm.data.readers.wav import WavReader
from egonorm.data.sets.epic55 import open_epic55, open_set
from egonorm.data.transforms import AudioInput, VideoInput
from egonorm.data.windows import Span, Window
from egonorm.signal.spectrogram import Spectrogram

NUM_TICKS, SIZE, RATE = 60, (32, 56), 24000
FRAMES = VideoInput(span=Span(8, 2, 60.0), short_side=32)
ROWS = {  # uid, video, start frame, stop frame, verb class
    "D1_train": [(10, "P08_01", 13, 40, 0), (11, "P08_01", 1, 33, 7)],
    "D1_test": [(12, "P08_09", 5, 50, 1)],
    "D2_train": [(20, "P01_01", 5, 50, 2)],
    "D2_test": [(21, "P01_11", 5, 50, 3)],
    "D3_train": [(30, "P22_05", 5, 50, 4)],
    "D3_test": [(31, "P22_01", 5, 50, 6)],
}


def table(rows: list[tuple]) -> pd.DataFrame:
    """The ten columns of the real tables, in their order."""
    uid, video, start, stop, verb = zip(*rows, strict=True)
    columns = {
        "uid": uid,
        "participant_id": [name[:3] for name in video],
        "video_id": video,
        "narration": "do it",
        "start_timestamp": "00:00:00.00",
        "stop_timestamp": "00:00:01.00",
        "start_frame": start,
        "stop_frame": stop,
        "verb": "do",
        "verb_class": verb,
    }
    return pd.DataFrame(columns)


def write_splits(folder: Path, names=ROWS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(table(ROWS[name])))


def pixels(tick: int) -> np.ndarray:
    return np.full((*SIZE, 3), 3 * tick + 20, dtype=np.uint8)


def ticks_of(shown: torch.Tensor) -> list[int]:
    return [round((float(frame.float().mean()) - 20) / 3) for frame in shown]


def write_pictures(path: Path, first: int, prefix: str = "frame_") -> None:
    path.mkdir(parents=True)
    for tick in range(NUM_TICKS):
        picture = simplejpeg.encode_jpeg(pixels(tick), quality=95)
        (path / f"{prefix}{tick + first:010d}.jpg").write_bytes(picture)


def write_tar(path: Path, first: int, prefix: str = "frame_") -> None:
    folder = path.parent / "unpacked"
    write_pictures(folder, first, prefix)
    with tarfile.open(path, "w") as tar:
        tar.add(folder, ".")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def write_flow(path: Path, first: int, flat: bool) -> None:
    """Half as many pairs as pictures: u rises as the pictures do, v is 10 above it."""
    for half, axis in (("u", "x"), ("v", "y")):
        folder = path if flat else path / half
        folder.mkdir(parents=True, exist_ok=True)
        for tick in range(NUM_TICKS // 2):
            grey = np.full((*SIZE, 1), 6 * tick + 20 + 10 * (half == "v"), dtype=np.uint8)
            name = f"{f'{axis}_' if flat else 'frame_'}{tick + first:010d}.jpg"
            (folder / name).write_bytes(simplejpeg.encode_jpeg(grey, 95, "GRAY", "Gray"))


def write_flow_tar(path: Path) -> None:
    folder = path.parent / "unpacked"
    write_flow(folder, 1, flat=False)
    with tarfile.open(path, "w") as tar:
        tar.add(folder, ".")
    shutil.rmtree(folder)


def tone() -> np.ndarray:
    """Two seconds that rise from 1 to 5 kHz."""
    seconds = np.arange(2 * RATE) / RATE
    return (np.sin(2 * np.pi * (1000 * seconds + 1000 * seconds**2)) * 16000).astype(np.int16)


def write_wav(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(tone().tobytes())


def write_video(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=60, options={"crf": "5", "preset": "ultrafast"})
        video.height, video.width = SIZE
        video.pix_fmt, video.codec_context.time_base = "yuv420p", Fraction(1, 60)
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        for tick in range(NUM_TICKS):
            frame = av.VideoFrame.from_ndarray(pixels(tick), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 60)
            container.mux(video.encode(frame))
        sound = av.AudioFrame.from_ndarray((tone() / np.float32(32768))[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


PICTURES = [
    ("rgb/P08/P08_01", 1, "frame_"),
    ("frames_rgb_flow/rgb/train/D1/P08_01", 1, "frame_"),
    ("frames_rgb_flow/rgb/train/P08/P08_01", 1, "frame_"),
    ("P08_01", 0, "img_"),
    ("P08_01", 1, "frame_"),
    ("rgb/train/D1/P08_01", 1, "frame_"),
    ("rgb/train/D1/P08_01", 0, "frame_"),
    ("P08/rgb_frames/P08_01", 1, "frame_"),
    ("P08/P08_01", 1, "frame_"),
]
VIDEOS = [
    "videos/P08/P08_01.MP4",
    "P08/videos/P08_01.MP4",
    "P08_01.MP4",
    "P08_01.mp4",
    "P08/P08_01.mp4",
    "videos/P08_01.mp4",
    "videos/train/P08/P08_01.MP4",
]
WAVS = [
    "audio/P08_01.wav",
    "wav/P08_01.wav",
    "P08_01.wav",
    "rgb/train/D1/P08_01.wav",
    "P08/audio/P08_01.wav",
    "audio/P08/P08_01.wav",
    "wav/P08/P08_01.WAV",
    "P08/P08_01.wav",
]


FLOW = [
    ("flow/P08/P08_01", 1, False),
    ("frames_rgb_flow/flow/train/D1/P08_01", 1, False),
    ("frames_rgb_flow/flow/train/P08/P08_01", 1, False),
    ("flow/train/D1/P08_01", 1, False),
    ("flow/train/D1/P08_01", 0, False),
    ("P08/flow_frames/P08_01", 1, False),
    ("P08/P08_01", 1, False),
    ("P08/P08_01", 0, True),
    ("P08_01", 0, True),
    ("P08_01", 1, True),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_splits(tmp_path)
    return tmp_path


def shows_the_right_pictures(root: Path) -> None:
    reader = open_epic55(root).reader("rgb", FRAMES)
    shown = reader("P08_01", [Window(10 / 60, 26 / 60)])[0]
    assert shown.shape == (8, *SIZE, 3)
    assert ticks_of(shown) == list(range(10, 26, 2))
    assert ticks_of(reader("P08_01", [Window(50 / 60, 66 / 60)])[0]) == [50, 52, 54, 56, 58, 59, 59, 59]
    assert reader.examine("P08_01", thorough=True) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("path", "first", "prefix"), PICTURES)
@pytest.mark.parametrize("packed", [False, True])
def test_layouts_of_pictures(root, path, first, prefix, packed):
    if packed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
    (write_tar if packed else write_pictures)(root / (path + ".tar" * packed), first, prefix)
    shows_the_right_pictures(root)
    assert [list(found.values()) for found in open_epic55(root).layouts().values()] == [[1], [], []]


@pytest.mark.parametrize("path", VIDEOS)
def test_layouts_of_videos(root, path):
    write_video(root / path)
    shows_the_right_pictures(root)
    sounds_right(root)
    assert [list(found.values()) for found in open_epic55(root).layouts().values()] == [[1], [1], []]


def sounds_right(root: Path) -> None:
    spectrogram = Spectrogram(seconds=0.3)
    reader = open_epic55(root).reader("audio", AudioInput(spectrogram))
    for start in (0.2, 0.7, 1.2):
        heard = spectrogram(reader("P08_01", [Window(start, start + 0.3)])[0])
        loudest = heard[0, :, heard.shape[2] // 2].argmax() * RATE / 511
        assert float(loudest) == pytest.approx(1000 + 2000 * (start + 0.15), abs=120)
    assert reader.examine("P08_01") == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("path", WAVS)
def test_layouts_of_sound(root, path):
    write_wav(root / path)
    sounds_right(root)
    reader, windows = open_epic55(root).reader("audio", AudioInput()), [Window(0.5, 1.0)]
    assert torch.equal(reader("P08_01", windows), WavReader(root, Spectrogram())(path, windows))


def test_pictures_and_wav_files_go_before_videos(root):
    write_video(root / "P08_01.MP4")
    write_pictures(root / "rgb/P08/P08_01", 1)
    write_wav(root / "audio/P08_01.wav")
    write_video(root / "P08_09.MP4")
    assert open_epic55(root).layouts() == {
        "rgb": {"MM-SADA code: rgb/{participant}/{video} (pictures)": 1, "flat: {video} (video)": 1},
        "audio": {"audio: audio/{video} (wav)": 1, "flat: {video} (soundtrack)": 1},
        "flow": {},
    }


def shows_the_right_flow(root: Path) -> None:
    reader = open_epic55(root).reader("flow", replace(FRAMES, displacement=True))
    shown = reader("P08_01", [Window(11 / 60, 27 / 60)])[0].float().mean(dim=(1, 2))
    assert shown.shape == (8, 2)
    assert [round((float(u) - 20) / 6) for u in shown[:, 0]] == list(range(5, 13))
    assert (shown[:, 1] - shown[:, 0] - 10).abs().max() < 1
    assert reader.examine("P08_01", thorough=True) == 1.0


@pytest.mark.parametrize(("path", "first", "flat"), FLOW)
def test_layouts_of_flow(root, path, first, flat):
    write_flow(root / path, first, flat)
    shows_the_right_flow(root)
    assert [list(found.values()) for found in open_epic55(root).layouts().values()] == [[], [], [1]]


@pytest.mark.parametrize("path", [path for path, first, flat in FLOW[:6] if first])
def test_layouts_of_packed_flow(root, path):
    (root / path).parent.mkdir(parents=True)
    write_flow_tar(root / f"{path}.tar")
    shows_the_right_flow(root)
    assert [list(found.values()) for found in open_epic55(root).layouts().values()] == [[], [], [1]]


def test_flow_lies_among_the_pictures_or_beside_them(root):
    write_pictures(root / "P08_01", 0, "img_")
    write_tar(root / "P08_09.tar", 1)
    assert open_epic55(root).layouts()["flow"] == {}
    write_flow(root / "P08_01", 0, flat=True)
    shows_the_right_flow(root)
    shows_the_right_pictures(root)


def test_flow_of_which_a_half_is_missing_is_told(root):
    write_flow(root / "flow/P08/P08_01", 1, flat=False)
    shutil.rmtree(root / "flow/P08/P08_01/u")
    with pytest.raises(DataError, match=r"flow/P08/P08_01 holds no pictures[\s\S]*u/frame_0000000001\.jpg"):
        open_epic55(root).reader("flow", FRAMES).examine("P08_01")


def test_a_folder_without_pictures_is_no_layout(root):
    (root / "rgb/P08/P08_01").mkdir(parents=True)
    write_pictures(root / "P08_01", 0, "img_")
    shows_the_right_pictures(root)


def test_splits_and_domains_lead_to_their_folders(root):
    for folder in ("test/D1/P08_09", "train/D2/P01_01", "test/D2/P01_11", "train/D3/P22_05", "test/D3/P22_01"):
        write_pictures(root / "rgb" / folder, 1)
    epic55 = open_epic55(root)
    assert "P08_01" not in epic55.places("rgb") and len(epic55.places("rgb")) == 5
    reader = epic55.reader("rgb", FRAMES)
    for video in ("P08_09", "P01_01", "P01_11", "P22_05", "P22_01"):
        assert ticks_of(reader(video, [Window(0.0, 16 / 60)])[0]) == list(range(0, 16, 2))


def test_a_missing_video_is_told_with_the_places_it_was_looked_for(root):
    write_pictures(root / "P08_09", 1)
    epic55 = open_epic55(root)
    assert set(epic55.places("rgb")) == {"P08_09"} and not epic55.places("audio")
    reader = epic55.reader("rgb", FRAMES)
    for ask in (lambda: reader("P08_01", [Window(0.0, 1.0)])[0], lambda: reader.examine("P08_01")):
        with pytest.raises(DataError) as caught:
            ask()
        message = str(caught.value)
        assert f"P08_01 was not found below {root}." in message
        for pattern in ("rgb/{participant}/{video} or rgb/{participant}/{video}.tar", "{video}.MP4 or {video}.mp4"):
            assert pattern in message
        assert "Move or link its files" in message


def test_an_unknown_modality_is_told(root):
    epic55 = open_epic55(root)
    with pytest.raises(DataError, match=r"no modality smell[\s\S]*expected: rgb, audio, flow"):
        epic55.reader("smell", FRAMES)


def test_readers_travel_to_other_processes(root):
    write_pictures(root / "P08_01", 0)
    reader = pickle.loads(pickle.dumps(open_epic55(root).reader("rgb", FRAMES)))
    assert ticks_of(reader("P08_01", [Window(0.0, 1.0)])[0]) == list(range(0, 16, 2))


def test_the_manifest(root):
    epic55 = open_set(root)
    assert epic55.notes == ()
    assert epic55.manifest.classes == ("take", "put", "open", "close", "wash", "cut", "mix", "pour")
    assert epic55.manifest.clips[:3] == (
        Clip("10", "P08_01", 12 / 60, 40 / 60, "take", "D1", "train"),
        Clip("11", "P08_01", 0.0, 33 / 60, "pour", "D1", "train"),
        Clip("12", "P08_09", 4 / 60, 50 / 60, "put", "D1", "test"),
    )
    assert [clip.uid for clip in epic55.manifest.clips] == ["10", "11", "12", "20", "21", "30", "31"]


@pytest.mark.parametrize(
    "folder", ["", "splits", "annotations", "MM-SADA_Domain_Adaptation_Splits", "some/where/deep_Splits"]
)
def test_splits_are_found_in_the_usual_folders(tmp_path, folder):
    write_splits(tmp_path / folder)
    assert len(open_epic55(tmp_path).manifest) == 7


def test_folders_of_media_are_not_searched(tmp_path):
    write_splits(tmp_path / "P01" / "splits")
    write_splits(tmp_path / "a/b/c/splits")
    with pytest.raises(DataError, match=r"holds no labels[\s\S]*six pickles of MM-SADA[\s\S]*github\.com/jonmun"):
        open_epic55(tmp_path)


def write_public(folder: Path) -> None:
    """The training rows of all, with further columns, and rows of other people and verbs."""
    rows = [row for name, rows in ROWS.items() if "train" in name for row in rows]
    rows += [(40, "P02_01", 5, 50, 0), (41, "P08_01", 5, 50, 8)]
    table(rows).assign(noun="door", all_nouns="['door', 'pan']").to_csv(folder / "EPIC_train_action_labels.csv")


def test_public_labels_give_the_training_splits(tmp_path, root):
    (tmp_path / "public-annotations").mkdir()
    write_public(tmp_path / "public-annotations")
    train = tuple(clip for clip in open_epic55(root).manifest.clips if clip.split == "train")
    for path in root.glob("*.pkl"):
        path.unlink()
    epic55 = open_epic55(tmp_path)
    assert epic55.manifest.clips == train
    assert len(epic55.manifest.select(["D1"], "test")) == 0
    assert epic55.notes == (
        "EPIC_train_action_labels.csv stands in for D1_train.pkl, D2_train.pkl, D3_train.pkl: the clips are the same.",
        "no test splits: D1_test.pkl, D2_test.pkl, D3_test.pkl cannot be had from public labels; get the six pickles "
        "from github.com/jonmun/MM-SADA_Domain_Adaptation_Splits",
    )


def test_missing_pickles_are_noted(tmp_path):
    write_splits(tmp_path, ["D1_train", "D1_test", "D2_train"])
    notes = open_epic55(tmp_path).notes
    assert [note.partition(";")[0] for note in notes] == [
        "missing test splits: D2_test.pkl, D3_test.pkl cannot be had from public labels",
        "missing training splits: D3_train.pkl",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="verb_class"), r"is not a table of EPIC-Kitchens-55[\s\S]*no verb_class, or several"),
        (lambda t: pd.concat([t, t[["verb"]]], axis=1), r"no verb, or several"),
        (lambda t: t.assign(start_frame=1.5), r"start_frame of type float64"),
        (lambda t: t.assign(verb_class=True), r"verb_class of type bool"),
        (lambda t: t.assign(video_id=[b"P08_01"] * len(t)), r"video_id of type object"),
        (lambda t: t.assign(verb_class=8), r"uid 10 cannot be used[\s\S]*a verb class of 0 to 7"),
        (lambda t: t.assign(verb_class=-1), r"uid 10 cannot be used"),
        (lambda t: t.assign(start_frame=0), r"uid 10 cannot be used[\s\S]*frames from 1"),
        (lambda t: t.assign(stop_frame=3), r"uid 10 cannot be used"),
        (lambda t: t.assign(participant_id="P01"), r"uid 10 cannot be used[\s\S]*participant P08"),
        (lambda t: t.assign(video_id="P01_01"), r"uid 10 cannot be used"),
        (lambda t: t.assign(video_id="P08_01/../../secret"), r"uid 10 cannot be used"),
        (lambda t: t.assign(video_id=f"P08_{'1' * 300}"), r"uid 10 cannot be used"),
    ],
)
def test_wrong_tables_are_told(root, change, message):
    (root / "D1_train.pkl").write_bytes(pickle.dumps(change(table(ROWS["D1_train"]))))
    with pytest.raises(DataError, match=rf"D1_train\.pkl[\s\S]*{message}"):
        open_epic55(root)


def test_wrong_public_labels_are_told(tmp_path):
    (tmp_path / "EPIC_train_action_labels.csv").write_text("uid,verb\n1,take\n")
    with pytest.raises(DataError, match=r"no start_frame, or several, no stop_frame, or several"):
        open_epic55(tmp_path)
    (tmp_path / "EPIC_train_action_labels.csv").write_text("")
    with pytest.raises(DataError, match=r"cannot be read[\s\S]*comma-separated"):
        open_epic55(tmp_path)


def test_clips_that_stand_in_two_tables_are_refused(tmp_path):
    write_splits(tmp_path)
    table([*ROWS["D1_test"], ROWS["D1_train"][0]]).to_pickle(tmp_path / "D1_test.pkl")
    with pytest.raises(DataError) as caught:
        open_epic55(tmp_path)
    assert (
        f"Tables of {tmp_path} share clips.\n  got:      uid 10 in D1_train and D1_test; clips of D1: 2 train, 2 test; D2: 1"
        in str(caught.value)
    )
