"""What computes features: the encoders of trained runs, and published ones, one a modality."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from egonorm.core import RunError, SettingError, WeightsError
from egonorm.core.files import checksum
from egonorm.core.training import seed_for
from egonorm.data.manifest import Manifest
from egonorm.data.transforms import FEATURES
from egonorm.data.windows import Span
from egonorm.nets.net import Net, read_metadata
from egonorm.nets.weights.load import shown_address
from egonorm.nets.weights.registry import published
from egonorm.runs.config import NetConfig, Stream, load_trained, read_run
from egonorm.runs.presets import PRESETS, each_once, parse_encoder, parse_weights
from egonorm.runs.run import Options, RunContext, refuse_unfinished
from egonorm.training.runtime import Runtime


@dataclass(frozen=True)
class TrainedOn:
    """What an encoder was trained on by a run of ours."""

    data: str
    sources: tuple[str, ...]
    """The domains whose labels it has learnt."""
    domains: tuple[str, ...]
    """Those, and domains that were shown without labels."""
    clips: str
    """The digest of the training clips of all of these, as the run was shown them."""

    def learnt_in(self, data: str, manifest: Manifest) -> tuple[str, ...]:
        """The domains of some data whose labels it has learnt; domains of the same name in other data do not count."""
        known = manifest.with_classes(manifest.classes_of(self.sources)).without_unlabelled({"train": self.sources})
        shown = known.select(self.domains, "train").digest(set(self.domains) - set(self.sources))
        return self.sources if self.data == data or self.clips == shown else ()


@dataclass(frozen=True)
class StreamEncoder:
    """One modality's way from its medium to a feature."""

    stream: Stream
    span: Span
    encoder: nn.Module
    neck: nn.Module
    source: str
    """Where the weights came from, for people."""
    trained_on: TrainedOn | None = None
    """What a run of ours trained them on; None for published weights."""

    @property
    def network(self) -> str:
        """The encoder's name, and its width and options if they are not as usual."""
        return str(self.stream.encoder)

    def identity(self) -> dict[str, str]:
        """All that decides the numbers; equal for equal ones, wherever the files lie."""
        weights = fingerprint(self.encoder, self.neck)
        return {"input": repr(self.stream.input), "network": self.network, "weights": weights}


@dataclass(frozen=True)
class Encoders:
    """The streams by modality, in the order of the pairs; all look at the same window."""

    streams: dict[str, StreamEncoder]

    @property
    def span(self) -> Span:
        """The window that all of them look at."""
        return next(iter(self.streams.values())).span

    def net(self) -> Net:
        """The streams as one network in evaluation; its classifier is of no use."""
        net = Net({name: stream.encoder for name, stream in self.streams.items()}, num_classes=1)
        for name, stream in self.streams.items():
            net.necks[name] = stream.neck
        return net.eval()


def fingerprint(*modules: nn.Module) -> str:
    """Sixteen digits that differ for any other weights."""
    digest = hashlib.sha256()
    for module in modules:
        for name, x in sorted(module.state_dict().items()):
            digest.update(f"{name} {tuple(x.shape)} {x.dtype}".encode())
            digest.update(x.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def find_encoders(sources: Sequence[str], chosen: Sequence[str], preset: str, runtime: Runtime) -> Encoders:
    """The encoders that a command names.

    Args:
        sources: folders of runs, whose last checkpoint is taken, or `MODALITY=PATH_OR_URL[#SHA256]`: weights of the preset's
            encoder of that modality, or of the one that `chosen` names.
        chosen: `MODALITY=NAME`, a published encoder with its input; or `MODALITY=package.module:Class:key=value`, a user's, which
            gets what the preset shows of that modality.

    Raises:
        RunError: for a source that is neither, a run without checkpoints, no source, or windows of several lengths.
        SettingError: for a modality that is named twice, or that the preset does not have, and a class that is no encoder.
        WeightsError: for weights that do not fit.
    """
    usual = PRESETS[preset]()
    whole = replace(usual.net, streams=usual.net.streams | usual.further)
    choices = _choices(chosen, whole)
    net, found = replace(whole, streams=whole.streams | choices), []
    for source in sources:
        if "=" in source and not Path(source).is_dir():
            modality, place, sha256 = parse_weights(source, "SOURCE")
            stream = net.start_from(modality, place, sha256).streams[modality]
            choices.pop(modality, None)
            found.append((modality, _stream_encoder(stream, net.span, shown_address(place))))
        else:
            found += _of_run(Path(source), runtime)
    found += [(name, _stream_encoder(stream, net.span, stream.encoder.name)) for name, stream in choices.items()]
    return _together(found)


def _choices(chosen: Sequence[str], net: NetConfig) -> dict[str, Stream]:
    """The stream of each encoder that was chosen by name or path."""
    found = {}
    for modality, name in each_once("encoder", [parse_encoder(choice) for choice in chosen]).items():
        if ":" in name:
            found[modality] = net.encode_by(modality, name).streams[modality]
        else:
            found[modality] = published_stream(name, net.span)
            _check_kind(modality, found[modality], net.streams)
    return found


def published_stream(name: str, span: Span) -> Stream:
    """What a published network is fed of a window, and the network with its weights from the cache.

    Raises:
        WeightsError: for an unknown name, or weights that are not in the cache.
    """
    entry = published(name)
    if entry.origin() is None:
        raise WeightsError(
            f"The weights of {name} are not there.",
            got=f"no usable {entry.path}",
            expected="weights that were fetched before",
            remedy=f"Run: {entry.command()}",
        )
    encoder = replace(entry.encoder, weights=str(entry.path), sha256=checksum(entry.path))
    return Stream(entry.input_for(span), encoder)


def _check_kind(modality: str, stream: Stream, usual: Mapping[str, Stream]) -> None:
    """Refuse a published encoder that is made for another kind of input than its modality has."""
    kind = lambda s: f"{s.input.reads} of {s.encoder.in_channels} channels"  # noqa: E731
    if modality in usual and kind(stream) != kind(usual[modality]):
        raise SettingError(
            f"{stream.encoder.name} is no encoder of {modality}.",
            got=kind(stream),
            expected=kind(usual[modality]),
            remedy="Give it to the modality that it is made for: egonorm weights list.",
        )


def _stream_encoder(stream: Stream, span: Span, source: str) -> StreamEncoder:
    """The encoder with its weights; what it draws at random, a user's class that loads none, is the same in every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "net"))
        return StreamEncoder(stream, span, stream.encoder.build(), nn.Identity(), source)


def _of_run(folder: Path, runtime: Runtime) -> list[tuple[str, StreamEncoder]]:
    """The encoders and necks of a run's last checkpoint."""
    run = read_run(folder)
    if on_features := [name for name, stream in run.net.streams.items() if stream.input.reads == FEATURES]:
        raise RunError(
            f"{folder} computes no features of media.",
            got=f"a run on stored features of {', '.join(on_features)}",
            expected="a run that was trained on videos, pictures or sound",
            remedy="Name such a run, or a published encoder: egonorm weights list.",
        )
    context = RunContext(run, folder, runtime, Options())
    saved = context.checkpoints.saved()
    if not saved:
        refuse_unfinished(folder, run)
    net, _ = load_trained(folder, run, saved[-1])
    about = read_metadata(context.checkpoints.path(saved[-1]))
    source = f"{folder.resolve().name}, step {saved[-1]}"
    trained_on = TrainedOn(run.data, run.setting.sources, context.trained_on, str(about["clips"]))
    return [
        (name, StreamEncoder(stream, run.net.span, net.encoders[name], net.necks[name], source, trained_on))
        for name, stream in run.net.streams.items()
    ]


def _together(found: list[tuple[str, StreamEncoder]]) -> Encoders:
    if not found:
        raise RunError(
            "Nothing was named that computes features.",
            got="no SOURCE and no --encoder",
            expected="a run's folder, MODALITY=PATH_OR_URL, or --encoder MODALITY=NAME",
            remedy="Write for example: egonorm extract RUN --data folder:CLIPS --out FEATURES",
        )
    _each_once([name for name, _ in found])
    if len({stream.span for _, stream in found}) > 1:
        raise RunError(
            "The sources look at windows of several lengths.",
            got="; ".join(f"{name}: {stream.span}" for name, stream in found),
            expected="one for all modalities",
            remedy="Take runs of one preset, or the --preset of the runs.",
        )
    return Encoders(dict(found))


def _each_once(names: Iterable[str]) -> None:
    names = list(names)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SettingError(
            "The sources name a modality more than once.",
            got=", ".join(names),
            expected=f"{', '.join(repeated)} once",
            remedy="Leave one of them out.",
        )
