"""Published weights from the command line: fetched, listed, and refused in four lines."""

import pytest
import torch

from egonorm import cli
from egonorm.core.files import checksum
from egonorm.nets.bn_inception import BnInception
from egonorm.nets.weights.registry import PUBLISHED


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "egonorm" / "weights"


def call(capsys, *words) -> str:
    cli.main(["weights", *map(str, words)])
    return capsys.readouterr().out


@pytest.mark.slow
def test_get_from_a_file_then_list(tmp_path, cache, capsys):
    listed = call(capsys, "list")
    assert all(name in listed and entry.licence in listed for name, entry in PUBLISHED.items())
    assert "not in the cache: egonorm weights get bn-inception --from PATH_OR_URL" in listed
    file = tmp_path / "bn.pth"
    torch.save(BnInception(in_channels=3).state_dict(), file)
    path = cache / "bn-inception.safetensors"
    text = call(capsys, "get", "bn-inception", "--from", f"{file}#{checksum(file)}")
    assert f"{path} was written" in text and checksum(file) in text and "BSD-3-Clause" in text
    assert f"{path} is there already" in call(capsys, "get", "bn-inception", "--from", file)
    assert f"{path} is there already" in call(capsys, "get", "bn-inception")
    assert str(path) in call(capsys, "list")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["get", "vgg"], "no published network 'vgg'"),
        (["get", "i3d-kinetics"], "egonorm weights get i3d-kinetics --from PATH_OR_URL"),
        (["get", "i3d-kinetics", "--from", "/nowhere.pt"], "a file that exists"),
    ],
)
def test_errors_say_got_expected_remedy(words, message):
    with pytest.raises(SystemExit) as caught:
        cli.main(["weights", *words])
    text = str(caught.value)
    assert text.startswith("error: ") and all(f"  {word}" in text for word in ("got:", "expected:", "remedy:"))
    assert message in text
