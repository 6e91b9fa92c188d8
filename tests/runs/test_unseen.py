"""Nothing of an unseen domain decides anything: whatever is put in its place, the trained weights have the same bytes."""

import shutil

import media
import numpy as np
import pandas as pd
import pytest
import simplejpeg
from safetensors.numpy import load_file

from egonorm.cli import main
from egonorm.core import DataError
from egonorm.data.manifest import Clip, write_manifest
from egonorm.data.sets import open_clip_set
from egonorm.data.sets.synthetic import CLASSES as KITCHEN_CLASSES
from egonorm.runs.results import is_complete, read_rows

PLACES = {"home": 220.0, "office": 440.0, "garden": 880.0}
LABELS = ("cut", "pour", "wash")
QUICK = ("--steps", "3", "--batch", "4", "--device", "cpu", "--workers", "0")


def write_folder(root, other=False):
    """Three places with a video each; with `other`, everything of the garden is something else, and it has a class of its own."""
    clips = []
    for number, (place, hertz) in enumerate(PLACES.items()):
        changed = other and place == "garden"
        write_video(root / f"{place}.mkv", 3 * hertz if changed else hertz, 40 if changed else number)
        for split in ("train", "test"):
            for k in range(6):
                start = (0.21 if changed else 0.1) + 0.5 * k + (0.05 if split == "test" else 0.0)
                label = LABELS[(k + changed) % 3]
                clips.append(Clip(f"{place}-{split}-{k}", f"{place}.mkv", start, start + 0.6, label, place, split))
    if other:
        clips.append(Clip("odd", "garden.mkv", 1.0, 2.0, "dance", "garden", "train"))
    write_manifest(root / "manifest.csv", clips)
    return root


def write_video(path, hertz, first):
    path.parent.mkdir(parents=True, exist_ok=True)
    with media.av.open(str(path), "w") as container:
        video, sound = media.add_video(container, media.Fraction(1, 30)), media.add_sound(container, 24000)
        for tick in range(120):
            picture = media.bar_code(first + tick)
            container.mux(video.encode(media.as_frame(picture, tick, media.Fraction(1, 30))))
        container.mux(video.encode(None))
        wave = np.sin(2 * np.pi * hertz * np.arange(4 * 24000) / 24000).astype(np.float32)
        media.mux_sound(container, sound, wave[None], 24000)


def write_features(path, other=False, labels=None):
    """Features of another program: classes come from labels; with `other`, the garden has three times as long ones and more."""
    rng = np.random.default_rng(0)
    rows = [(place, split, k) for place in PLACES for split in ("train", "test") for k in range(9)]
    columns = {name: rng.normal(size=(len(rows), size)) for name, size in (("rgb", 8), ("audio", 5))}
    names = np.array([LABELS[k % 3] for *_, k in rows], dtype="U8")
    garden = np.array([place == "garden" for place, *_ in rows])
    if other:
        columns = {name: np.where(garden[:, None], 3 * x + 7, x) for name, x in columns.items()}
        names[garden] = np.roll(names[garden], 1)
        names[np.flatnonzero(garden)[0]] = "dance"
    if labels is not None:
        names[garden] = labels
    about = {"uids": [f"{place}-{split}-{k}" for place, split, k in rows], "labels": names}
    about |= {"domains": [place for place, *_ in rows], "splits": [split for _, split, _ in rows]}
    np.savez(path, **about, **{name: x.astype(np.float32) for name, x in columns.items()})
    return path


def write_epic(root, other=False):
    """Pictures, sound and splits of EPIC-Kitchens-55 as people have them; with `other`, all of D3 is something else."""
    for kitchen, person in (("D1", "P08"), ("D2", "P01"), ("D3", "P22")):
        changed = other and kitchen == "D3"
        rng = np.random.default_rng([int(person[1:]), changed])
        for number, split in enumerate(("train", "test")):
            video, first = f"{person}_0{number + 1}", 6 if changed else 1
            starts = [first + 30 * k for k in range(4)]
            table = pd.DataFrame({"uid": [int(f"{person[1:]}{number}{k}") for k in range(4)], "participant_id": person})
            table = table.assign(
                video_id=video, narration="do it", verb="do", verb_class=[(k + changed) % 3 for k in range(4)]
            )
            table = table.assign(start_frame=starts, stop_frame=[start + 30 for start in starts])
            table = table.assign(start_timestamp="00:00:00.00", stop_timestamp="00:00:01.00")
            (root / "splits").mkdir(parents=True, exist_ok=True)
            table.to_pickle(root / "splits" / f"{kitchen}_{split}.pkl")
            pictures = root / "rgb" / person / video
            pictures.mkdir(parents=True)
            for place in range(1, 141):
                jpeg = simplejpeg.encode_jpeg(rng.integers(0, 255, (72, 96, 3), dtype=np.uint8))
                (pictures / f"frame_{place:010d}.jpg").write_bytes(jpeg)
            media.write_sound(
                root / f"{video}.wav", rng.normal(0, 0.1, (1, 60000)).astype(np.float32), 24000, "pcm_s16le"
            )
    return f"epic55:{root}"


def copy_kitchens(kitchens, root, other=False):
    """Rendered kitchens; with `other`, D3 shows and holds what D1 does, under other labels."""
    shutil.copytree(kitchens, root)
    if other:
        table = pd.read_csv(root / "manifest.csv")
        of_d1 = table[table.domain == "D1"]
        label = dict(zip(KITCHEN_CLASSES, KITCHEN_CLASSES[1:] + KITCHEN_CLASSES[:1], strict=True))
        of_d3 = of_d1.assign(domain="D3", label=of_d1.label.map(label))
        for column in ("uid", "media"):
            of_d3[column] = of_d3[column].str.replace("D1", "D3")
        pd.concat([table[table.domain != "D3"], of_d3]).to_csv(root / "manifest.csv", index=False)
        shutil.rmtree(root / "D3")
        for path in (root / "D1").iterdir():
            (root / "D3").mkdir(exist_ok=True)
            shutil.copy(path, root / "D3" / path.name.replace("D1", "D3"))
    return f"kitchens:{root}"


def weights(out, data, setting, method, *words):
    """Every tensor of every checkpoint of a run, as bytes."""
    preset = (
        ("--preset", "features", "--width", "0.05")
        if data.startswith("features:")
        else ("--preset", "demo", "--width", "0.0625")
    )
    main(["train", "--data", data, "--setting", setting, "--out", str(out), *preset, *QUICK, *words, method])
    (run,) = out.iterdir()
    assert is_complete(run)
    return {
        (path.name, name): x.tobytes()
        for path in sorted(run.glob("checkpoints/*.safetensors"))
        for name, x in load_file(path).items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "method"),
    [
        ("dg1:home:garden", "rna"),
        ("dgn:home+office:garden", "rna"),
        ("uda:home:garden", "source-only"),
        ("uda:home:garden", "ada-bn"),
        ("tta:home:garden", "source-only"),
        ("supervised:home:home", "source-only"),
    ],
)
def test_features_of_an_unseen_domain_decide_nothing(tmp_path, setting, method):
    data = [write_features(tmp_path / f"{other}.npz", other) for other in (False, True)]
    found = [weights(tmp_path / f"runs-{path.stem}", f"features:{path}", setting, method) for path in data]
    assert found[0] == found[1] and any("standardise" in name for _, name in found[0])


@pytest.mark.slow
def test_what_adaptation_is_shown_has_no_labels(tmp_path):
    labels = (
        None,
        np.array(["wash"] * 9 + ["cut"] * 9),
        np.array([""] * 9 + ["cut"] * 9),
        np.array(["dance"] * 9 + [""] * 9),
    )
    found = []
    for number, some in enumerate(labels):
        path = write_features(tmp_path / f"{number}.npz", labels=some)
        found.append(weights(tmp_path / f"runs-{number}", f"features:{path}", "uda:home:garden", "mmd"))
    assert all(other == found[0] for other in found[1:])
    judged = [
        {(row.domain, row.n) for row in read_rows(next((tmp_path / f"runs-{k}").iterdir())) if row.metric == "top1"}
        for k in (0, 3)
    ]
    assert judged == [{("home", 9), ("garden", 9)}, {("home", 9)}]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "packed", "features"])
@pytest.mark.parametrize(("setting", "method"), [("dgn:home+office:garden", "rna"), ("uda:home:garden", "source-only")])
def test_media_of_an_unseen_domain_decide_nothing(tmp_path, kind, setting, method):
    folders = [f"folder:{write_folder(tmp_path / f'{other}', other)}" for other in (False, True)]
    data = folders
    if kind == "packed":
        data = [f"packed:{tmp_path / f'packed-{number}'}" for number in (0, 1)]
        for source, made in zip(folders, data, strict=True):
            main(["data", "pack", source, "--out", made.partition(":")[2], "--workers", "1"])
    if kind == "features":
        weights(tmp_path / "encoders", folders[0], "dg1:office:home", "source-only")
        data = [f"features:{tmp_path / f'features-{number}'}" for number in (0, 1)]
        for source, made in zip(folders, data, strict=True):
            extracted = ("--data", source, "--out", made.partition(":")[2], "--windows", "2", "--device", "cpu")
            main(["extract", str(next((tmp_path / "encoders").iterdir())), *extracted, "--workers", "0"])
    found = [weights(tmp_path / f"runs-{number}", one, setting, method) for number, one in enumerate(data)]
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "method"), [("dgn:D1+D2:D3", "rna"), ("uda:D1:D3", "source-only"), ("tta:D1:D3", "rna")]
)
def test_an_unseen_kitchen_of_epic_decides_nothing(tmp_path, setting, method):
    data = [write_epic(tmp_path / f"{other}", other) for other in (False, True)]
    found = [weights(tmp_path / f"runs-{number}", one, setting, method) for number, one in enumerate(data)]
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "method"), [("dgn:D1+D2:D3", "rna"), ("uda:D1:D3", "source-only")])
def test_an_unseen_rendered_kitchen_decides_nothing(kitchens, tmp_path, setting, method):
    data = [copy_kitchens(kitchens, tmp_path / f"{other}", other) for other in (False, True)]
    assert open_clip_set(data[0]).manifest != open_clip_set(data[1]).manifest
    found = [weights(tmp_path / f"runs-{number}", one, setting, method) for number, one in enumerate(data)]
    assert found[0] == found[1]


def test_a_test_clip_of_another_class_is_named_and_left_out_when_asked(tmp_path, capsys):
    labels = np.array(["cut"] * 9 + ["cut"] * 8 + ["dance"])
    data = f"features:{write_features(tmp_path / 'x.npz', labels=labels)}"
    with pytest.raises(SystemExit, match=r"garden-test-8(.|\n)*dance is none of the classes(.|\n)*--skip-broken"):
        weights(tmp_path / "no", data, "dg1:home:garden", "source-only")
    weights(tmp_path / "yes", data, "dg1:home:garden", "source-only", "--skip-broken")
    (run,) = (tmp_path / "yes").iterdir()
    assert {row.n for row in read_rows(run) if row.metric == "top1" and row.domain == "garden"} == {8}
    assert "garden-test-8" in (run / "left_out.json").read_text()
    main(["data", "check", data])
    assert "1 (dance; clips garden-test-8)" in capsys.readouterr().out


@pytest.mark.slow
def test_declared_classes_are_the_network_s(tmp_path):
    root = write_folder(tmp_path / "clips")
    (root / "classes.txt").write_text("wash\ncut\n\npour\ndance\n")
    assert open_clip_set(f"folder:{root}").manifest.classes_of(["home"]) == ("wash", "cut", "pour", "dance")
    (root / "classes.txt").write_text("wash\ncut\nwash\n")
    with pytest.raises(DataError, match=r"classes.txt does not declare classes(.|\n)*wash more than once"):
        open_clip_set(f"folder:{root}")


def test_sources_without_labels_cannot_be_learnt(tmp_path):
    path = write_features(tmp_path / "x.npz", labels="")
    with pytest.raises(SystemExit, match=r"training clips of garden have no labels"):
        weights(tmp_path / "runs", f"features:{path}", "dg1:garden:home", "source-only")


def test_clips_without_labels_are_counted(tmp_path, capsys):
    path = write_features(tmp_path / "x.npz", labels=np.array(["", "cut"] * 9))
    main(["data", "check", f"features:{path}"])
    assert "garden: 5 train, 4 test" in capsys.readouterr().out


HAND = 2.0
"""Points that accuracies may lie apart."""


@pytest.mark.slow
def test_columns_of_different_orders_are_as_good_as_standardised_by_hand(tmp_path):
    """36 cepstra beside 16 accelerations, whose classes lie in their smallest columns."""
    rng = np.random.default_rng(0)
    rows = [(place, split, k) for place in ("home", "office") for split in ("train", "test") for k in range(240)]
    labels = np.array([k % 3 for *_, k in rows])
    scales = {"audio": 10.0 ** np.linspace(2, -2, 36), "imu": 10.0 ** np.linspace(1, -3, 16)}
    raw = {}
    for name, scale in scales.items():
        tells = np.zeros((3, len(scale)))
        tells[:, -6:] = rng.normal(size=(3, 6))
        raw[name] = (tells[labels] + rng.normal(size=(len(rows), len(scale))) + 2) * scale
    source = np.array([place == "home" and split == "train" for place, split, _ in rows])
    hand = {name: (x - x[source].mean(0)) / x[source].std(0) for name, x in raw.items()}
    about = {"uids": [f"{place}-{split}-{k}" for place, split, k in rows], "labels": [LABELS[k] for k in labels]}
    about |= {"domains": [place for place, *_ in rows], "splits": [split for _, split, _ in rows]}

    def accuracy(name, columns, *words):
        np.savez(tmp_path / f"{name}.npz", **about, **{key: x.astype(np.float32) for key, x in columns.items()})
        data = (
            "--data",
            f"features:{tmp_path / name}.npz",
            "--setting",
            "dg1:home:office",
            "--out",
            str(tmp_path / name),
        )
        main(
            [
                "train",
                *data,
                "--device",
                "cpu",
                "--workers",
                "0",
                "--steps",
                "300",
                "--batch",
                "32",
                *words,
                "source-only",
            ]
        )
        found = [
            row.value
            for row in read_rows(next((tmp_path / name).iterdir()))
            if row.metric == "top1" and row.domain == "home"
        ]
        return np.mean(found[-9:])

    by_hand = accuracy("hand", hand, "--no-standardise")
    assert abs(accuracy("raw", raw) - by_hand) <= HAND
    assert accuracy("as-they-are", raw, "--no-standardise") < by_hand - 10
