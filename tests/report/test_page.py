"""The page as files: whole, self-contained, escaped, and in the place of an earlier one without harm to anything else."""

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from egonorm.core import RunError
from egonorm.export.video import encode_clip
from egonorm.report.page import output_dir
from egonorm.report.page.model import Facts, Grid, GridCell, Note, Page, Player, Section
from egonorm.report.page.output_dir import LISTING
from egonorm.report.page.render import stem
from egonorm.report.page.write import write_page
from egonorm.report.style import Exhibit

EVIL = "<img src=x onerror=\"document.title='broken'\">'&\"</script><script>document.title='broken'</script>"


class Parsed(HTMLParser):
    """Elements and texts of a page, as a browser takes them."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text):
        self.texts.append(text)

    def values(self, *names):
        """The values of attributes."""
        return [value for _, attributes in self.elements for name, value in attributes.items() if name in names]


@pytest.fixture(scope="module")
def out(page, tmp_path_factory):
    return write_page(page, tmp_path_factory.mktemp("page") / "report").parent


@pytest.fixture(scope="module")
def parsed(out):
    return Parsed((out / "index.html").read_text())


def small(*parts, title="Small"):
    return Page(title, (Note("short"),), (), (Section("only", "Only", parts),))


def line(name="line"):
    figure = Figure()
    figure.subplots().plot([1, 2])
    return Exhibit(name, "A line", figure, "It rises.", header=("x",), rows=((1,), (2,)))


def files(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_files_beside_the_page(out):
    figures = {"figure-1", "figure-2", "clip-map", "silent-map"}
    forms = {name: ("jpg",) if name.endswith("map") else ("svg", "png") for name in figures}
    assert {path.name for path in (out / "figures").iterdir()} == {f"{n}.{form}" for n in figures for form in forms[n]}
    numbers = {path.name for path in (out / "data").iterdir()}
    assert numbers == {f"{name}.csv" for name in (*figures, "results", "inner", "confusion")}
    assert (out / "figures/figure-1.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "data/figure-2.csv").read_text() == "step,norm\n1,3.0\n2,1.0\n"
    assert (out / "data/confusion.csv").read_text().startswith("true class,clips,take,put,")


def test_nothing_is_loaded_from_elsewhere(parsed):
    links = parsed.values("src", "href", "xlink:href", "action", "poster", "srcset")
    assert links and not [
        link for link in links if not re.match(r"#|data:(text|image|video)/|figures/[\w-]+\.svg$", link)
    ]
    assert not [tag for tag, _ in parsed.elements if tag in ("link", "iframe", "object", "embed", "base")]


def test_the_policy_allows_this_script_alone(out, parsed):
    (script,) = re.findall(r"<script>(.*?)</script>", (out / "index.html").read_text(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [a["content"] for tag, a in parsed.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and f"script-src 'sha256-{digest}';" in policy
    assert not re.search(r"script-src[^;]*unsafe|https?:", policy)


def test_markup_in_labels_is_text(out, parsed):
    assert [tag for tag, _ in parsed.elements].count("script") == 1
    assert not [a for _, a in parsed.elements if any(name.startswith("on") for name in a)]
    assert all(a["src"].startswith("data:") for tag, a in parsed.elements if tag == "img")
    assert (
        sum(EVIL in text for text in parsed.texts) > 12 and sum(EVIL in (v or "") for v in parsed.values("title")) > 0
    )
    for path in (out / "figures").glob("*.svg"):
        assert "<img" not in path.read_text() and "<script" not in path.read_text()


def test_every_reference_has_its_place(parsed):
    ids = Counter(parsed.values("id"))
    assert max(ids.values()) == 1
    named = [link[1:] for link in parsed.values("href") if link.startswith("#")]
    named += parsed.values("aria-labelledby", "aria-describedby", "aria-controls", "for")
    assert len(named) > 20 and not [name for name in named if name not in ids]


def test_without_script_all_bodies_are_there(parsed):
    hidden = [a for _, a in parsed.elements if "hidden" in a]
    assert {a.get("class") or a.get("id") for a in hidden} == {"_theme", "filter", "chooser"}


def test_numbers_travel_in_the_page(out, parsed):
    inside = {
        a["download"]: a["href"]
        for tag, a in parsed.elements
        if tag == "a" and a.get("href", "").startswith("data:text")
    }
    content = {name: base64.b64decode(uri.partition("base64,")[2]) for name, uri in inside.items()}
    assert content == {path.name: path.read_bytes() for path in (out / "data").iterdir()}


def test_what_is_missing_is_said(tmp_path):
    gone = Exhibit("gone", "Curves", missing="there is no train.jsonl: train again")
    text = write_page(small(gone), tmp_path / "out").read_text()
    assert "there is no train.jsonl: train again" in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"index.html", LISTING}


def test_a_grid_without_more_is_stored_as_it_is_shown(tmp_path):
    filled = Grid("some", "Some", ("a", "b"), ((GridCell("x, y"), GridCell("2.0", 2.04)),))
    text = write_page(small(Grid("none", "None", ("clip",), ()), filled), tmp_path).read_text()
    assert "There are no rows." in text and (tmp_path / "data/none.csv").read_text() == "clip\n"
    assert (tmp_path / "data/some.csv").read_text() == 'a,b\n"x, y",2.0\n'


def test_a_page_may_be_empty_and_numbers_may_be_none(tmp_path):
    assert "Nothing" in write_page(Page("Nothing", (), ()), tmp_path / "a").read_text()
    cells = tuple(GridCell(str(x), x) for x in (float("nan"), float("inf"), 0.1))
    text = write_page(small(Grid("g", "G", ("a", "b", "c"), (cells,))), tmp_path / "b").read_text()
    assert re.findall(r'data-value="(.*?)"', text) == ["0.1"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../../x", "a/b", "D 1", "K\u00fcche", "x" * 400, "", "."])
def test_names_stay_in_the_folder(tmp_path, name):
    write_page(small(line(name)), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert [path.name for path in (tmp_path / "out/data").iterdir()] == [f"{stem(name)}.csv"]
    assert re.fullmatch(r"[\w-]{1,120}", stem(name), re.ASCII)


def test_other_names_have_other_stems():
    names = ["a b", "a_b", "a-b", "a_20_b", "ab", "", "_", "x" * 200, "x" * 201]
    assert len({stem(name) for name in names}) == len(names)


def test_two_parts_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"several parts': \['line'\]"):
        write_page(small(line(), line()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_same_page_is_the_same_bytes(page, out, tmp_path):
    write_page(page, tmp_path / "again")
    assert files(tmp_path / "again") == files(out)


def test_a_new_page_takes_the_place_of_the_old_one(tmp_path):
    out = tmp_path / "out"
    write_page(small(line("old"), line("both")), out)
    (out / "figures" / "mine.svg").write_text("mine")
    (out / "notes.txt").write_text("mine")
    write_page(small(line("new"), line("both"), title="The second"), out)
    figures = {f"figures/{name}.{form}" for name in ("new", "both") for form in ("svg", "png")}
    data = {"data/new.csv", "data/both.csv"}
    assert set(files(out)) == {"index.html", LISTING, "notes.txt", "figures/mine.svg", *figures, *data}
    assert (out / "notes.txt").read_text() == "mine" and "The second" in (out / "index.html").read_text()


@pytest.mark.parametrize("name", ["config.json", "index.html", "figures/a.svg"])
def test_a_folder_of_other_things_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(
        RunError, match=r"holds something that is no report(.|\n)*got: (.|\n)*remedy: +Give another folder"
    ):
        write_page(small(line()), tmp_path)
    assert files(tmp_path) == {name: b"mine"}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(RunError, match="is no report"):
        write_page(small(line()), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_file_in_the_way_is_refused(tmp_path):
    write_page(small(line("old")), tmp_path)
    (tmp_path / "data" / "new.csv").write_text("mine")
    before = files(tmp_path)
    with pytest.raises(RunError, match=r"got: +data/new.csv"):
        write_page(small(line("new")), tmp_path)
    assert files(tmp_path) == before


def test_a_listing_is_believed_only_about_the_reports_own(tmp_path):
    out = tmp_path / "out"
    write_page(small(line()), out)
    (tmp_path / "precious").write_text("mine")
    (out / LISTING).write_text(
        json.dumps(
            [
                "../precious",
                "figures/../../precious",
                "figures/..",
                "data/.",
                "notes.txt",
                3,
                str(tmp_path / "precious"),
            ]
        )
    )
    (out / "notes.txt").write_text("mine")
    for path in ("index.html", "figures/line.svg", "figures/line.png", "data/line.csv"):
        (out / path).unlink()
    write_page(small(line("other")), out)
    assert (tmp_path / "precious").read_text() == "mine" == (out / "notes.txt").read_text()


@pytest.mark.parametrize("content", ["{", "3", "null", '{"a": 1}', "[" * 100000])
def test_a_listing_that_cannot_be_read(tmp_path, content):
    (tmp_path / LISTING).write_text(content)
    with pytest.raises(RunError, match=r"\.report\.json cannot be read(.|\n)*remedy:"):
        write_page(small(line()), tmp_path)
    assert files(tmp_path) == {LISTING: content.encode()}


def test_a_page_that_is_stopped_half_way_leaves_the_old_one(tmp_path, monkeypatch):
    write_page(small(line("old"), title="The first"), tmp_path)
    write = output_dir.write_atomically

    def stop(path, content):
        if path.name == "new.png":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(output_dir, "write_atomically", stop)
    with pytest.raises(KeyboardInterrupt):
        write_page(small(line("new"), title="The second"), tmp_path)
    assert "The first" in (tmp_path / "index.html").read_text() and (tmp_path / "figures/old.svg").exists()
    monkeypatch.undo()
    write_page(small(line("new"), title="The third"), tmp_path)
    assert "The third" in (tmp_path / "index.html").read_text() and not (tmp_path / "figures/old.svg").exists()


def test_facts_and_notes_keep_their_words(tmp_path):
    page = replace(small(Facts((("a < b", "c & d"),), "T"), Note("x > y", is_warning=True)), title="5 < 6")
    parsed = Parsed(write_page(page, tmp_path / "out").read_text())
    assert {"a < b", "c & d", "5 < 6"} <= set(parsed.texts) and any("x > y" in text for text in parsed.texts)


def test_names_that_are_not_utf8_are_written_with_marks(tmp_path):
    odd, seen = "runs\udcff \u202e\x1b", r"runs\udcff \u202e\x1b"
    drawn = replace(line(odd), title=odd, text=odd, header=(odd,), rows=((odd,),))
    told = Grid("odd", odd, (odd,), ((GridCell(odd),),), odd, ((odd,),))
    page = small(drawn, told, Facts(((odd, odd),), odd), Note(odd), title=odd)
    text = write_page(page, tmp_path).read_text()
    assert f"<title>{seen}</title>" in text and not set(odd) & set("\x1b\u202e") & set(text)
    assert (tmp_path / "data/odd.csv").read_text() == f"{seen}\n"
    assert (tmp_path / f"data/{stem(odd)}.csv").read_text() == f"{seen}\n{seen}\n"


@pytest.mark.parametrize(("left", "still"), [(0, False), (100, False), (None, True)])
def test_a_video_that_is_cut_has_a_player_all_the_same(tmp_path, left, still):
    film = encode_clip(np.full((30, 72, 96, 3), 200, np.uint8), np.zeros(64000, np.float32))[:left]
    text = write_page(small(Player("clip", "Clip", "uid", Facts(()), video=film)), tmp_path).read_text()
    assert "<video controls" in text and ('poster="data:image/jpeg' in text) == still
