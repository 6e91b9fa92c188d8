"""The table of published networks agrees with the encoders, and a stream needs weights that were fetched."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from egonorm.core import Setting, WeightsError
from egonorm.core.files import checksum
from egonorm.data.transforms import AudioInput, VideoInput
from egonorm.data.windows import Span
from egonorm.features.encoders import published_stream
from egonorm.nets.weights.registry import ORIGIN, PUBLISHED, published
from egonorm.runs.config import Run, from_json, to_json
from egonorm.runs.presets import paper
from egonorm.signal import LogMel, Spectrogram

SPAN = Span(4, 2, 30.0)
SHAPES = {VideoInput: (1, 3, 2, 224, 224), AudioInput: (1, 1, 96, 128)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "egonorm" / "weights"


def put(name: str, origin: str | None) -> None:
    """Random weights in the cache, as if made of a file with this checksum."""
    entry = PUBLISHED[name]
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    encoder = replace(entry.encoder, in_channels=entry.channels).build()
    save_file(encoder.state_dict(), entry.path, None if origin is None else {ORIGIN: origin})


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_table_agrees_with_the_encoders(name):
    entry = PUBLISHED[name]
    given = entry.input_for(SPAN)
    with torch.device("meta"):
        encoder = entry.encoder.build().eval()
        assert encoder(torch.empty(SHAPES[type(given)])).shape == (1, entry.num_features)
    assert encoder.num_features == entry.num_features
    assert entry.name == name and entry.licence and entry.attribution and entry.about
    assert (entry.package is None) == (entry.sha256 is None)
    assert entry.command().endswith("--from PATH_OR_URL") == (entry.package is None)


def test_what_the_networks_are_fed():
    assert PUBLISHED["lite0"].input_for(SPAN) == VideoInput(SPAN, 256, 224) == PUBLISHED["i3d-kinetics"].input_for(SPAN)
    assert PUBLISHED["aisfx"].input_for(SPAN) == AudioInput(LogMel())
    assert PUBLISHED["bn-inception"].input_for(SPAN) == AudioInput(Spectrogram())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_stream_needs_weights_that_were_fetched(name):
    with pytest.raises(WeightsError) as caught:
        published_stream(name, SPAN)
    assert caught.value.remedy == f"Run: {PUBLISHED[name].command()}"
    assert f"egonorm weights get {name}" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_stream_builds_with_its_weights(name):
    put(name, PUBLISHED[name].sha256 or "a" * 64)
    stream = published_stream(name, SPAN)
    assert stream.input == PUBLISHED[name].input_for(SPAN)
    assert stream.encoder.sha256 == checksum(PUBLISHED[name].path)
    first, second = (stream.encoder.build().state_dict() for _ in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.parametrize("origin", ["b" * 64, None])
def test_weights_made_of_another_file_are_not_taken(origin):
    put("lite0", origin)
    with pytest.raises(WeightsError, match="The weights of lite0 are not there"):
        published_stream("lite0", SPAN)


def test_a_damaged_file_is_not_taken(cache):
    cache.mkdir(parents=True)
    (cache / "aisfx.safetensors").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="The weights of aisfx are not there"):
        published_stream("aisfx", SPAN)


def test_an_unknown_name():
    with pytest.raises(WeightsError, match=r"(?s)no published network 'vgg'.*lite0, aisfx, i3d-kinetics, bn-inception"):
        published("vgg")


def test_a_configuration_with_log_mel_reads_back():
    put("aisfx", PUBLISHED["aisfx"].sha256)
    usual = paper().net
    streams = {"rgb": usual.streams["rgb"], "audio": published_stream("aisfx", SPAN)}
    changed = Run("folder:/x", Setting("dg1", ("D1",), "D2"), replace(usual, streams=streams))
    assert from_json(to_json(changed)) == changed
    assert isinstance(from_json(to_json(changed)).net.streams["audio"].input.spectrogram, LogMel)


def test_a_configuration_from_before_log_mel_reads_back():
    run = Run("folder:/x", Setting("dg1", ("D1",), "D2"), paper().net)
    tree = json.loads(to_json(run))
    assert tree["net"]["streams"]["audio"]["input"]["spectrogram"].pop("kind") == "Spectrogram"
    assert from_json(json.dumps(tree)) == run
