"""The flow of the procedural kitchens: that it tells how what is seen moves, and what is promised about its files."""

import io
import shutil
import tarfile
from itertools import islice

import numpy as np
import pytest
import torch
from scipy import ndimage

from egonorm.core import DataError, RunError
from egonorm.data.manifest import read_manifest
from egonorm.data.sets import open_clip_set
from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens
from egonorm.data.sets.synthetic.displacement import displacements, field_between, pack_flow, to_bytes
from egonorm.data.sets.synthetic.drawing import Lens
from egonorm.data.sets.synthetic.looks import draw_look
from egonorm.data.sets.synthetic.motions import DOOR_WIDTH, Hand, Thing
from egonorm.data.sets.synthetic.scene import ScenePart, Sight, draw_mood, frames, see
from egonorm.data.sets.synthetic.timeline import plan_videos
from egonorm.data.transforms import VideoInput
from egonorm.data.windows import Span, Window

pytestmark = pytest.mark.slow

SIZE = (96, 128)
LOOK = draw_look(5, 1)
TINY = KitchensConfig(clips=24, kitchens=1, seed=3, size=(32, 48))


def sight(*parts, left: int = 0, top: int = 0) -> Sight:
    """A camera that looks at (0, 0) in the middle of the top edge, 100 pixels a unit, moved by some pixels."""
    return Sight(left, top, Lens(100.0, 64.0 - left, -top), parts)


def between(now: Sight, then: Sight) -> np.ndarray:
    return field_between(now, then, LOOK, SIZE, 0)


def part(what) -> ScenePart:
    return ScenePart(-1 if isinstance(what, Hand) else 0, 0.0, what)


def at(field: np.ndarray, x: float, y: float) -> list[float]:
    """The displacement of what a camera at the origin sees at a place."""
    return field[:, round(100 * y), round(64 + 100 * x)].tolist()


def test_a_still_scene_does_not_move():
    still = sight(part(Thing("board", 0, 0.68)), part(Hand(0.1, 0.6, 1, 0.5)))
    field = between(still, still)
    assert np.abs(field).max() < 1e-4
    assert (to_bytes(field) == 128).all()


def test_a_head_that_turns_to_the_right_and_up_moves_all_to_the_left_and_down():
    cup = part(Thing("utensil", 0.1, 0.5))
    field = between(sight(cup), sight(cup, left=7, top=-3))
    np.testing.assert_allclose(field, np.broadcast_to(np.array([-7, 3])[:, None, None], field.shape), atol=1e-3)
    assert set(to_bytes(field)[..., 0].flat) == {round(127.5 - 7 * 6.375)}


def test_what_moves_farther_than_twenty_pixels_is_stored_as_twenty():
    assert to_bytes(np.array([[[-30.0, -20.0, 20.0, 31.0]]] * 2, np.float32))[0, :, 0].tolist() == [0, 0, 255, 255]


def test_a_hand_moves_where_it_is_and_nothing_else_does():
    field = between(sight(part(Hand(0.1, 0.6, 1, 0.5))), sight(part(Hand(0.2, 0.55, 1, 0.5))))
    assert at(field, 0.1, 0.6) == pytest.approx([10, -5], abs=0.6)
    assert at(field, 0.1, 0.62) == pytest.approx([10, -5], abs=0.8)
    assert at(field, -0.3, 0.3) == [0, 0]
    share = float((np.abs(field).sum(axis=0) > 1).mean())
    assert 0.02 < share < 0.25


def test_hands_that_wait_go_with_the_head():
    now = sight(ScenePart(-1, 0.0, Hand(0.3, 0.8, 1, 0.3)))
    then = sight(ScenePart(-1, 0.12, Hand(0.3, 0.8, 1, 0.3)), left=12)
    field = between(now, then)
    assert at(field, 0.3, 0.8) == pytest.approx([0, 0], abs=1e-3)
    assert at(field, 0.0, 0.2) == [-12, 0]


def test_a_thing_turns_about_its_place():
    """A knife, from upright to 0.1 radians clockwise: its tip, 0.3 above its place, goes to the right."""
    field = between(sight(part(Thing("knife", 0, 0.6))), sight(part(Thing("knife", 0, 0.6, angle=0.1))))
    assert at(field, 0.0, 0.3) == pytest.approx([3.0, 0.15], abs=0.05)
    assert at(field, 0.0, 0.6) == pytest.approx([0, 0], abs=0.05)


def test_a_thing_that_comes_nearer_grows_about_its_place():
    now, then = (sight(part(Thing("utensil", 0, 0.5, size=size))) for size in (1.0, 1.2))
    down, right = (at(between(now, then), *place) for place in ((0.0, 0.55), (0.04, 0.5)))
    assert down == pytest.approx([0, 1], abs=0.02) and right == pytest.approx([0.8, 0], abs=0.02)


def test_a_door_swings_about_its_hinge_and_its_inside_stands_still():
    def door(angle: float) -> Sight:
        return sight(
            part(Thing("inside", -0.44, 0.5, number=-1)), part(Thing("door", -0.44, 0.5, angle=angle, number=-1))
        )

    field = between(door(0.9), door(1.0))
    edge, later = (DOOR_WIDTH * np.cos(angle) for angle in (0.9, 1.0))
    for share in (0.25, 0.5, 0.9):
        assert at(field, -0.44 + share * edge, 0.5)[0] == pytest.approx(100 * share * (later - edge), abs=0.2)
    assert at(field, -0.44 + edge + 0.1, 0.5) == [0, 0]
    assert at(field, -0.44 + 0.9 * edge, 0.85)[1] > 0 > at(field, -0.44 + 0.9 * edge, 0.12)[1]


def test_a_door_seen_from_its_edge_moves_as_its_edge():
    turned = np.pi / 2
    now, then = (sight(part(Thing("door", 0, 0.5, angle=angle, number=1))) for angle in (turned, turned + 0.1))
    assert at(between(now, then), 0.0, 0.5)[0] == pytest.approx(100 * DOOR_WIDTH * np.sin(0.1), abs=0.1)


def test_what_will_have_gone_stays_where_it_was():
    field = between(sight(part(Thing("utensil", 0.1, 0.5))), sight(left=5))
    assert at(field, 0.1, 0.5) == pytest.approx([-5, 0], abs=1e-3)


@pytest.mark.parametrize("verb", ["take", "open", "wash", "cut", "mix", "pour"])
def test_the_pictures_move_as_the_flow_says(verb):
    """Where things move, the later picture, fetched along the flow, is far more like the earlier one than as it is."""
    videos = plan_videos(5, 1, 48)
    stop, start, video = min(
        (
            (stop, start, video)
            for video in videos
            for act, start, stop in zip(video.acts, video.starts, video.stops(), strict=True)
            if act.verb == verb
        ),
        key=lambda found: found[0],
    )
    mood, errors = draw_mood(video), []
    pictures = [picture[..., 1].astype(np.float32) for picture in islice(frames(video, SIZE), stop + 2)]
    for tick in range(start, stop, 3):
        flow = field_between(see(video, mood, SIZE, tick), see(video, mood, SIZE, tick + 2), video.look, SIZE, tick)
        moving, places = np.abs(flow).sum(axis=0) > 2, np.mgrid[: SIZE[0], : SIZE[1]] + flow[::-1]
        fetched = ndimage.map_coordinates(pictures[tick + 2], places, order=1)
        inside = moving & (places[0] > 0) & (places[0] < SIZE[0] - 1) & (places[1] > 0) & (places[1] < SIZE[1] - 1)
        errors.append([np.abs(other - pictures[tick])[inside].sum() for other in (fetched, pictures[tick + 2])])
    along, without = np.sum(errors, axis=0)
    assert along < (0.75 if verb == "wash" else 0.5) * without  # water flickers; half the flow would give 0.64 to 0.81


@pytest.fixture(scope="module")
def root(tiny_kitchen, tmp_path_factory):
    """The tiny kitchen, to which two processes have added flow."""
    root, heard = tmp_path_factory.mktemp("kitchens") / "flow", []
    shutil.copytree(tiny_kitchen, root)
    render_kitchens(root, TINY, workers=2, progress=lambda done, of: heard.append((done, of)), flow=True)
    assert heard == [(done, 6) for done in range(3, 7)]
    return root


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_adding_flow_changes_nothing_else_and_later_calls_return_at_once(root, tiny_kitchen, monkeypatch):
    assert {name: data for name, data in contents(root).items() if not name.startswith("flow/")} == contents(
        tiny_kitchen
    )
    monkeypatch.setattr("egonorm.data.sets.synthetic.rendering.render_file", lambda *_: pytest.fail("rendered again"))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    for flow in (False, True):
        assert render_kitchens(root, TINY, flow=flow) == root / "manifest.csv"
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_pictures_and_flow_rendered_at_once_by_one_process_are_the_same(root, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(root, again)
    (again / "manifest.csv").unlink()
    for name in ("D1/D1_test_00.mp4", "flow/D1/D1_test_00.tar"):
        (again / name).unlink()
    render_kitchens(again, TINY, workers=1, flow=True)
    assert contents(again) == contents(root)


def test_a_refusal_to_write_flow_leaves_what_was_rendered(root, tmp_path, monkeypatch):
    again = tmp_path / "again"
    shutil.copytree(root, again)
    (again / "flow/D1/D1_test_00.tar").unlink()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match=r"D1_test_00\.tar could not be written"):
        render_kitchens(again, TINY, workers=1, flow=True)
    assert contents(again) == {n: data for n, data in contents(root).items() if n != "flow/D1/D1_test_00.tar"}


def test_a_file_of_flow_is_a_plain_tar_of_pairs(root):
    data = (root / "flow/D1/D1_train_00.tar").read_bytes()
    video = plan_videos(3, 1, 24)[0]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    count = -(-video.frames // 2)
    assert names == [f"{half}/frame_{number:010d}.jpg" for number in range(1, count + 1) for half in "uv"]
    assert pack_flow(displacements(video, TINY.size)) == data


def test_the_kind_kitchens_reads_what_was_rendered(root):
    kitchens, video = open_clip_set(f"kitchens:{root}"), plan_videos(3, 1, 24)[0]
    reader = kitchens.reader("flow", VideoInput(Span(8, 4, 30.0), 32, 32, displacement=True))
    assert video.frames / 30 <= reader.examine(video.media, thorough=True) < video.frames / 30 + 0.1
    rendered = torch.from_numpy(np.stack(list(displacements(video, TINY.size))))
    shown = reader(video.media, [Window(21 / 30, 1.0)])[0]  # the pair of frames 20 and 22 has its middle in frame 21
    assert shown.shape == (8, *TINY.size, 2)
    error = (shown.int() - rendered[10:26:2].int()).abs().float()
    assert error.mean() < 3 and float(np.percentile(error, 90)) < 8  # a small picture's edges suffer most by JPEG
    assert kitchens.layouts()["flow"] == {"flow/DOMAIN/VIDEO.tar": 3}
    assert len(read_manifest(root / "manifest.csv").clips) == len(kitchens.manifest)


def test_flow_that_was_not_rendered_is_told_with_the_whole_command(root, tmp_path):
    copy = tmp_path / "my kitchens"
    shutil.copytree(root, copy)
    (copy / "flow/D1/D1_test_00.tar").unlink()
    given = VideoInput(displacement=True)
    command = f"Run: egonorm data kitchens '{copy}' --clips 24 --kitchens 1 --seed 3 --size 32 48 --flow"
    with pytest.raises(DataError) as caught:
        open_clip_set(f"kitchens:{copy}").reader("flow", given)
    assert "flow of 2" in str(caught.value) and "flow of all 3" in str(caught.value) and command in str(caught.value)
    shutil.rmtree(copy / "flow")
    kitchens = open_clip_set(f"kitchens:{copy}")
    assert kitchens.layouts() == {
        "rgb": {"files named in manifest.csv": 3},
        "audio": {"files named in manifest.csv": 3},
        "flow": {},
    }
    with pytest.raises(DataError, match="flow of 0"):
        kitchens.reader("flow", given)
    with pytest.raises(DataError, match=r"no modality 'smell'"):
        kitchens.reader("smell", given)


def test_a_rendering_that_was_not_finished_is_told_with_the_whole_command(root, tmp_path):
    with pytest.raises(DataError, match=rf"holds no rendered kitchens[\s\S]*Run: egonorm data kitchens {tmp_path}$"):
        open_clip_set(f"kitchens:{tmp_path}")
    shutil.copy(root / "kitchens.json", tmp_path)
    with pytest.raises(DataError, match=r"--clips 24 --kitchens 1 --seed 3 --size 32 48$"):
        open_clip_set(f"kitchens:{tmp_path}")
