"""Manifests: what they read back, and what they refuse with the line and the remedy."""

from dataclasses import replace

import pytest

from egonorm.core import DataError
from egonorm.data.manifest import COLUMNS, Clip, Manifest, read_manifest, write_manifest
from egonorm.data.sets import open_clip_set

CLIPS = (
    Clip("a", "one.mp4", 0.0, 1.5, "cut", "home", "train"),
    Clip("b", "one.mp4", 1.5, 3.0, "pour", "work", "train"),
    Clip("c", "two.mp4", 0.25, 3.0, "cut", "work", "test"),
)


def written(tmp_path, **changes):
    path = tmp_path / "manifest.csv"
    write_manifest(path, CLIPS)
    text = path.read_text()
    for old, new in changes.get("replace", []):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    text = str(caught.value)
    assert all(word in text for word in ("got:", "expected:", "remedy:", str(path)))
    return text


def test_reads_what_it_writes(tmp_path):
    manifest = read_manifest(written(tmp_path))
    assert manifest == Manifest(CLIPS) and manifest.classes == ("cut", "pour")
    assert manifest.domains == ("home", "work")
    assert [clip.uid for clip in manifest.select(["work"], "test").clips] == ["c"]
    assert manifest.label_of(CLIPS[1]) == 1


def test_a_byte_order_mark_extra_columns_and_spaces_do_no_harm(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text(
        "\ufeff" + ",".join((*COLUMNS, "note")) + "\na, one.mp4 ,0,1, cut ,home,train,hello\n", encoding="utf-8"
    )
    assert read_manifest(path).clips == (Clip("a", "one.mp4", 0.0, 1.0, "cut", "home", "train"),)


def test_a_missing_column(tmp_path):
    text = refusal(written(tmp_path, replace=[("stop", "end"), ("domain", "place")]))
    assert "lacks the columns stop, domain" in text


def test_no_file(tmp_path):
    assert "does not exist" in refusal(tmp_path / "manifest.csv")


def test_labels_of_other_classes_and_none(tmp_path):
    manifest = read_manifest(written(tmp_path, replace=[("3.000000,cut", "3.000000,whistle")]))
    assert manifest.classes == ("cut", "pour") and manifest.classes_of(["work"]) != manifest.classes
    assert [clip.uid for clip in manifest.of_other_classes.clips] == ["c"] and not len(manifest.unlabelled)
    assert [manifest.label_of(clip) for clip in manifest.clips][-1] == -1 and len(manifest.labelled) == 2
    unlabelled = read_manifest(written(tmp_path, replace=[("3.000000,cut", "3.000000,")]))
    assert [clip.uid for clip in unlabelled.unlabelled.clips] == ["c"] and unlabelled.label_of(
        unlabelled.clips[2]
    ) == -1
    assert unlabelled.digest() != manifest.digest() and unlabelled.digest(["work"]) == manifest.digest(["work"])
    with pytest.raises(DataError, match=r"other classes than the network(.|\n)*got: +pour, cut"):
        Manifest(CLIPS, ("pour", "cut")).with_classes(("cut", "pour"))


def test_lines_are_the_file_s(tmp_path):
    path = written(tmp_path)
    header, *lines = path.read_text().splitlines()
    quoted = lines[0].replace("one.mp4", '"one\n.mp4"')
    assert quoted != lines[0]
    path.write_text("\n".join([header, "", quoted, "", lines[1].replace("train", "dev").replace("test", "dev")]))
    number = path.read_text().splitlines().index(path.read_text().splitlines()[-1]) + 1
    assert f"line {number}:" in refusal(path)


def test_stop_before_start(tmp_path):
    text = refusal(written(tmp_path, replace=[("0.250000", "9.5")]))
    assert "line 4" in text and "start 9.5, stop 3" in text


def test_two_rows_with_one_uid(tmp_path):
    text = refusal(written(tmp_path, replace=[("b,", "a,")]))
    assert "same uid" in text and "got:      a" in text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.250000", "soon", "a time is not a number"),
        ("work,test", "work,validation", "unknown split"),
        ("two.mp4", "", "media is empty"),
        ("0.250000", "-1", "no duration"),
        ("0.250000", "nan", "no duration"),
    ],
)
def test_other_bad_cells_name_the_line(tmp_path, old, new, message):
    text = refusal(written(tmp_path, replace=[(old, new)]))
    assert "line 4" in text and message in text


def test_other_encodings_empty_tables_and_extra_values(tmp_path):
    path = written(tmp_path)
    path.write_text(path.read_text().replace("home", "Küche"), encoding="latin-1")
    assert "not UTF-8" in refusal(path)
    path.write_text(",".join(COLUMNS) + "\n")
    assert "has no clips" in refusal(path)
    path.write_text(",".join(COLUMNS) + "\na,one.mp4,0,1,cut,home,train,more\n")
    assert "line 2: there are more values than columns" in refusal(path)
    path.write_text(";".join(COLUMNS) + "\na;one.mp4;0;1;cut;home;train\n")
    assert "with commas between them" in refusal(path)


@pytest.mark.parametrize("domain", ["a/b", "a+b", "a:b", ".a", "a\\b"])
def test_a_domain_whose_name_would_break_settings_and_files(domain):
    with pytest.raises(DataError, match="domain whose name cannot be used"):
        replace(CLIPS[0], domain=domain)


def test_a_digest_follows_the_clips_and_not_their_order():
    manifest = Manifest(CLIPS, ("cut", "pour"))
    assert manifest.digest() == Manifest(CLIPS[::-1], ("cut", "pour")).digest()
    assert manifest.digest() != Manifest((replace(CLIPS[0], stop=1.25), *CLIPS[1:]), ("cut", "pour")).digest()


def test_a_cell_without_end_is_refused(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text(f"uid,media,start,stop,label,domain,split\n{'x' * 200_000},a.mp4,0,1,cut,D1,train\n")
    with pytest.raises(
        DataError, match=r"manifest.csv cannot be read(.|\n)*field larger than field limit(.|\n)*131072"
    ):
        read_manifest(path)


@pytest.mark.parametrize("kind", ["folder", "kitchens"])
@pytest.mark.parametrize("media", ["a" * 300 + ".mp4", "a\0.mp4", "bc/" * 2000 + "a.mp4", "../" * 2000 + "x", "/", "."])
def test_names_that_no_file_can_have_are_refused(tmp_path, media, kind):
    (tmp_path / "manifest.csv").write_text(f"uid,media,start,stop,label,domain,split\nc,{media},0,1,cut,D1,train\n")
    (tmp_path / "kitchens.json").write_text('{"config": {"edition": 1}}')
    with pytest.raises(DataError) as caught:
        open_clip_set(f"{kind}:{tmp_path}")
    got = f"got:      {media[:60]!r}, {len(media)} letters"
    assert f"{tmp_path / 'manifest.csv'} names a medium as no file can be called.\n  {got}" in str(caught.value)


def test_names_of_rendered_flow_fit_too(tmp_path):
    manifest = "uid,media,start,stop,label,domain,split\nc,{},0,1,cut,D1,train\n"
    (tmp_path / "kitchens.json").write_text('{"config": {"edition": 1}}')
    (tmp_path / "manifest.csv").write_text(manifest.format("a" * 251 + ".mp4"))
    assert open_clip_set(f"kitchens:{tmp_path}").layouts()["flow"] == {}
    (tmp_path / "manifest.csv").write_text(manifest.format("a" * 253 + ".x"))
    with pytest.raises(DataError, match=r"no file can be called(.|\n)*, 262 letters"):
        open_clip_set(f"kitchens:{tmp_path}")
