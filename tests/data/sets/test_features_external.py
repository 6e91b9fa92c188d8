"""Features of other programs: every form that is read, and every reason for which one is refused."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from egonorm.core import DataError
from egonorm.data.dataset import Clips, EvalKey, TrainKey
from egonorm.data.loader import training_batches
from egonorm.data.sets import open_clip_set
from egonorm.data.transforms import FeatureInput

UIDS = [f"P01_{k}" for k in range(12)]
LABELS = ["wash", "cut", "open"] * 4
DOMAINS = ["home"] * 6 + ["lab"] * 6
SPLITS = ["train", "train", "train", "test", "test", "test"] * 2
TABLE = {"uid": UIDS, "label": LABELS, "domain": DOMAINS, "split": SPLITS}
RGB = np.random.default_rng(0).normal(size=(12, 5, 6))
AUDIO = np.random.default_rng(1).normal(size=(12, 3))


def write_table(path: Path, columns=None, delimiter=",") -> None:
    columns = TABLE if columns is None else columns
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([list(columns), *zip(*columns.values(), strict=True)])


def opened(path) -> Clips:
    data = open_clip_set(f"features:{path}")
    inputs = {name: FeatureInput(size) for name, size in data.stored.sizes.items()}
    return Clips(data.manifest, {m: data.reader(m, x) for m, x in inputs.items()}, inputs, data.stored.span)


def check(path, modalities=("rgb", "audio"), rgb=RGB, audio=AUDIO, rtol=1e-6) -> Clips:
    """The usual clips, classes and features are found in `path`."""
    clips, data = opened(path), open_clip_set(f"features:{path}")
    assert list(data.stored.sizes) == list(modalities) and data.stored.num_windows == 5
    assert [clip.uid for clip in clips.manifest.clips] == UIDS
    assert [clip.label for clip in clips.manifest.clips] == LABELS
    assert [clip.domain for clip in clips.manifest.clips] == DOMAINS
    assert [clip.split for clip in clips.manifest.clips] == SPLITS
    assert clips.manifest.classes == ("cut", "open", "wash")
    for index in range(12):
        seen = clips[EvalKey(index, 5)].inputs
        assert all(x.dtype == torch.float32 for x in seen.values())
        np.testing.assert_allclose(seen[modalities[0]], rgb[index], rtol=rtol)
        np.testing.assert_allclose(seen[modalities[1]], np.stack([audio[index]] * 5), rtol=rtol)
    return clips


def refused(path, *texts):
    with pytest.raises(DataError) as caught:
        data = open_clip_set(f"features:{path}")
        for modality, size in data.stored.sizes.items():
            data.reader(modality, FeatureInput(size))
    assert all(text in str(caught.value) for text in texts), str(caught.value)


def test_a_folder_with_an_array_a_file(tmp_path):
    write_table(tmp_path / "manifest.csv", TABLE | {"narration": ["a, b"] * 12})
    np.save(tmp_path / "rgb.npy", RGB)
    np.savez_compressed(tmp_path / "audio.npz", features=AUDIO.astype(np.float32))
    (tmp_path / "notes.txt").write_text("mine")
    clips = check(tmp_path)
    assert open_clip_set(f"features:{tmp_path}").layouts() == {
        "rgb": {"rgb.npy": 12},
        "audio": {"features in audio.npz": 12},
    }
    batches = list(training_batches(clips, ("home", "lab"), 4, 1, 2, 0, torch.device("cpu")))
    assert batches[0][0].inputs["rgb"].shape == (4, 6)


def test_a_folder_with_uids_in_another_order_and_more_of_them(tmp_path):
    write_table(tmp_path / "clips.tsv", delimiter="\t")
    order = np.random.default_rng(2).permutation(14)
    more = np.array([*UIDS, "X1", "X2"])[order]
    padded = np.concatenate([RGB, np.full((2, 5, 6), np.nan)])[order]
    np.savez(tmp_path / "rgb.npz", arr_0=padded, uids=more)
    save_file({"audio": torch.from_numpy(AUDIO), "extra": torch.ones(12, 2).half()}, tmp_path / "two.safetensors")
    clips = check(tmp_path, ("rgb", "audio", "extra"))
    assert clips[EvalKey(3, 5)].inputs["extra"].tolist() == [[1.0, 1.0]] * 5
    (note,) = open_clip_set(f"features:{tmp_path}").notes
    assert note == "rgb.npz has 2 uids that the table has not; they are not used."


def test_one_npz_file(tmp_path):
    arrays = {"uids": UIDS, "labels": LABELS, "domains": DOMAINS, "splits": np.array(SPLITS, dtype="S")}
    np.savez(tmp_path / "all.npz", audio=AUDIO.astype(np.float16), rgb=RGB, **arrays, start=np.zeros(12))
    check(tmp_path / "all.npz", audio=AUDIO.astype(np.float16))


def test_one_safetensors_file_with_a_table_beside_or_in_it(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {"imu": torch.from_numpy(RGB), "sound": torch.from_numpy(AUDIO)}
    save_file(tensors, path, metadata={f"{name}s": json.dumps(values) for name, values in TABLE.items()})
    check(path, ("imu", "sound"))
    save_file(tensors, path)
    refused(path, "x.safetensors lacks uid, label, domain, split")
    save_file(tensors, path, metadata={"uid": "P01_1 P01_2"})
    refused(path, "The metadata of", "a JSON list for each column", "with the same name and .csv")
    write_table(tmp_path / "x.csv", delimiter=";")
    check(path, ("imu", "sound"))


def test_labels_that_are_numbers(tmp_path):
    path = tmp_path / "n.npz"
    numbers = np.array([10, 2, 9] * 4)
    arrays = {"uid": np.arange(12), "domain": np.array([1, 2] * 6), "split": SPLITS, "rgb": RGB}
    np.savez(path, label=numbers, **arrays)
    manifest = open_clip_set(f"features:{path}").manifest
    assert manifest.classes == ("2", "9", "10") and manifest.domains == ("1", "2")
    assert [clip.uid for clip in manifest.clips] == [str(k) for k in range(12)]
    assert [manifest.label_of(clip) for clip in manifest.clips[:3]] == [2, 0, 1]
    names = [f"verb {k}" for k in range(11)]
    np.savez(path, label=numbers, classes=names, **arrays)
    manifest = open_clip_set(f"features:{path}").manifest
    assert manifest.classes == tuple(names) and manifest.clips[0].label == "verb 10"
    np.savez(path, label=numbers, classes=names[:-1], **arrays)
    refused(path, "labels that no class belongs to", "got:      10", "0 to 9")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "int64", "uint8"])
def test_types_of_numbers(tmp_path, dtype):
    values = (np.arange(72).reshape(12, 6) % 7).astype(dtype)
    np.savez(tmp_path / "a.npz", **TABLE, rgb=values)
    clips = opened(tmp_path / "a.npz")
    assert clips[EvalKey(8, 1)].inputs["rgb"].tolist() == [values[8].tolist()]


@pytest.mark.slow
@pytest.mark.parametrize("num_windows", [1, 2, 3, 5, 10, 25])
def test_every_window_is_tested_once_and_drawn_as_often(tmp_path, num_windows):
    windows = np.arange(num_windows, dtype=np.float32)[None, :, None].repeat(12, axis=0)
    np.savez(tmp_path / "a.npz", **TABLE, rgb=windows)
    clips = opened(tmp_path / "a.npz")
    seen = clips[EvalKey(4, num_windows)].inputs["rgb"]
    assert seen.flatten().tolist() == list(range(num_windows))
    draws = [int(clips[TrainKey(4, epoch)].inputs["rgb"]) for epoch in range(200 * num_windows)]
    counts = np.bincount(draws, minlength=num_windows)
    assert len(counts) == num_windows and counts.min() > 140 and counts.max() < 260


def test_validation_clips_are_left_out_and_told(tmp_path):
    splits = ["train", "VAL", "Testing"] * 4
    write_table(tmp_path / "t.csv", TABLE | {"split": splits, "label": ["cut"] * 12})
    np.save(tmp_path / "rgb.npy", RGB)
    data = open_clip_set(f"features:{tmp_path}")
    assert [clip.uid for clip in data.manifest.clips] == [uid for k, uid in enumerate(UIDS) if k % 3 != 1]
    assert data.notes == ("4 clips of the split val are left out; rename it to train or test to use them.",)
    np.testing.assert_allclose(opened(tmp_path)[EvalKey(1, 5)].inputs["rgb"][0], RGB[2, 0], rtol=1e-6)
    write_table(tmp_path / "t.csv", TABLE | {"split": ["train", "val"] * 6})
    refused(tmp_path, "or none to test on", "6 train, 6 val", "Name the split that is to be judged on test")


def test_numbers_that_are_not_finite_are_found_where_media_are_examined(tmp_path):
    broken = RGB.copy()
    broken[7, 2, 1] = np.nan
    np.savez(tmp_path / "a.npz", **TABLE, rgb=broken)
    reader = opened(tmp_path / "a.npz").readers["rgb"]
    assert reader.examine(UIDS[6]) == 1.0
    with pytest.raises(DataError, match="features of P01_7 are not all finite"):
        reader.examine(UIDS[7])


def folder(root, arrays, table=None, name="rgb.npz"):
    root.mkdir()
    write_table(root / "manifest.csv", table)
    np.savez(root / name, **arrays)
    return root


def test_rows_that_do_not_fit(tmp_path):
    refused(
        folder(tmp_path / "a", {"x": RGB[:11]}), "x in rgb.npz has not a row for each clip", "got:      11 rows", "12"
    )
    refused(folder(tmp_path / "b", {"x": RGB, "uid": UIDS[:5]}), "12 rows", "expected: 5")
    refused(
        folder(tmp_path / "c", {"x": RGB, "uid": [*UIDS[:10], "Y", "Z"]}), "without P01_10, P01_11", "one row for each"
    )
    refused(folder(tmp_path / "d", {"x": RGB, "uid": [*UIDS[:11], UIDS[2]]}), "does not fit", "P01_11")
    more = {"x": np.concatenate([RGB, RGB[:1]]), "uid": [*UIDS, UIDS[2]]}
    refused(folder(tmp_path / "e", more), "several rows of P01_2")
    twice = TABLE | {"uid": [UIDS[0], *UIDS[:11]]}
    refused(folder(tmp_path / "f", {"x": RGB}, twice), "the same uid", "P01_0")


def test_arrays_that_are_no_features(tmp_path):
    path = tmp_path / "a.npz"
    for array in (np.zeros(12), np.zeros((12, 2, 3, 4)), np.zeros((12, 0)), np.zeros((12, 3), dtype=complex)):
        np.savez(path, **TABLE, rgb=array)
        refused(
            path, "rgb in a.npz is no array of features", str(array.shape), "[clip, feature] or [clip, window, feature]"
        )
    np.savez(path, **TABLE, rgb=RGB, audio=RGB[:, :3])
    refused(path, "different numbers of windows", "rgb: 5, audio: 3", "one number for all, or 1")
    np.savez(path, **TABLE)
    refused(path, "holds no features", "no array beside the table's")
    for name in ("r.g.b", "train", "2d", "values"):
        np.savez(path, **TABLE, **{name: RGB})
        refused(path, f"{name!r} cannot be the name of a modality", "Rename")


def test_pickled_objects_are_never_read(tmp_path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("code was run",)

    np.savez(tmp_path / "a.npz", **TABLE | {"uid": np.array([Bomb()] * 12)}, rgb=RGB)
    refused(tmp_path / "a.npz", "uid in a.npz holds Python objects", "could run code", "dtype=str")
    np.save(tmp_path / "rgb.npy", np.array([Bomb()] * 12))
    write_table(tmp_path / "t.csv")
    (tmp_path / "a.npz").unlink()
    refused(tmp_path, "rgb.npy holds Python objects")


def test_files_that_cannot_be_read(tmp_path):
    write_table(tmp_path / "t.csv")
    for name, text in {"rgb.npz": "BadZipFile", "rgb.npy": "ValueError", "rgb.safetensors": "SafetensorError"}.items():
        (tmp_path / name).write_bytes(b"this is no file of arrays at all")
        refused(tmp_path, f"{name} cannot be read", text, "Save or copy it again")
        (tmp_path / name).unlink()
    np.save(tmp_path / "rgb.npy", RGB)
    (tmp_path / "rgb.npy").write_bytes((tmp_path / "rgb.npy").read_bytes()[:-100])
    refused(tmp_path, "rgb.npy cannot be read")
    refused(tmp_path / "t.csv", "is no file of features", "got:      .csv", "Name the folder")


def test_folders_that_hold_something_else(tmp_path):
    refused(tmp_path, "holds no features that can be read", "0 tables and 0 files")
    np.save(tmp_path / "rgb.npy", RGB)
    for name in ("one.csv", "two.csv"):
        write_table(tmp_path / name)
    refused(tmp_path, "2 tables and 1 files", "manifest.csv among several")
    write_table(tmp_path / "manifest.csv")
    assert len(opened(tmp_path)) == 12
    np.savez(tmp_path / "rgb.npz", RGB)
    refused(tmp_path, "has two arrays of rgb", "rgb.npy and arr_0 in rgb.npz")


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"split": ["train", "test", "dev"] * 4}, ["clip P01_2 has an unknown split", "'dev'", "train or test"]),
        ({"domain": ["a/b"] * 12}, ["Clip P01_0 has a domain whose name cannot be used"]),
        ({"domain": ["", *["P01"] * 11]}, ["t.csv, line 2", "no domain"]),
        ({"split": ["test"] * 12}, ["no clips to train on", "12 test"]),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, changes, texts):
    write_table(tmp_path / "t.csv", TABLE | changes)
    np.save(tmp_path / "rgb.npy", RGB)
    refused(tmp_path, *texts)


def test_more_reasons_to_refuse_a_table(tmp_path):
    np.save(tmp_path / "rgb.npy", RGB)
    write_table(tmp_path / "t.csv", {"uid": UIDS, "verb": LABELS})
    refused(tmp_path, "t.csv lacks label, domain, split", "got:      uid")
    (tmp_path / "t.csv").write_text("uid,label,domain,split,narration\na,cut,home,train,take, then cut\n")
    refused(tmp_path, "line 2 has not one value a column", "got:      more", "quotation marks")
    (tmp_path / "t.csv").write_bytes("uid,label,domain,split\na,sciogliére,home,train\n".encode("latin-1"))
    refused(tmp_path, "is not UTF-8 text", "0xe9")
    np.savez(tmp_path / "a.npz", **TABLE | {"label": LABELS[:5]}, rgb=RGB)
    refused(tmp_path / "a.npz", "columns of several lengths", "'label': 5")
    np.savez(tmp_path / "a.npz", **TABLE | {"label": np.zeros(12)}, rgb=RGB)
    refused(tmp_path / "a.npz", "label in a.npz is no list of names", "float64")


def test_damaged_bytes_of_packed_arrays_are_told_or_change_nothing(tmp_path):
    path, told = tmp_path / "a.npz", []
    np.savez_compressed(path, **TABLE, rgb=RGB)
    whole = path.read_bytes()
    for place in range(0, len(whole), 19):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            clips = opened(path)
            np.testing.assert_allclose(clips[EvalKey(7, 5)].inputs["rgb"], RGB[7], rtol=1e-6)
        except DataError as error:
            told.append(str(error))
    assert len(told) > 150 and any(
        "cannot be read.\n  got:      error: Error -3 while decompressing" in text for text in told
    )


def test_headers_of_arrays_that_are_not_there_are_refused_before_memory_is_taken(tmp_path):
    write_table(tmp_path / "t.csv")
    np.save(tmp_path / "rgb.npy", RGB)
    whole = (tmp_path / "rgb.npy").read_bytes()
    for header, told in {
        b"(9999999999, 5, 6), }": "an array of shape (9999999999, 5, 6)",
        b"(2**40, 5, 6), }": "",
        b"(" * 30: "a header that cannot be read",
    }.items():
        (tmp_path / "rgb.npy").write_bytes(whole.replace(b"(12, 5, 6), }".ljust(len(header)), header, 1))
        refused(tmp_path, "rgb.npy cannot be read", told)


@pytest.mark.parametrize("cell", ["x" * 200_000, '"x'])
def test_a_cell_without_end_is_refused(tmp_path, cell):
    write_table(tmp_path / "t.csv")
    np.save(tmp_path / "rgb.npy", RGB)
    text = (tmp_path / "t.csv").read_text().replace("P01_3", cell)
    (tmp_path / "t.csv").write_text(text + "x" * 200_000)
    refused(tmp_path, "t.csv cannot be read", "field larger than field limit", "cells of at most 131072 letters")
