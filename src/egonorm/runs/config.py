"""A run: everything that decides its numbers, as one frozen tree that reads back from its `config.json`, and its network."""

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

import cattrs
import torch
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.strategies import configure_tagged_union

from egonorm.core import EgonormError, RunError, Setting, SettingError
from egonorm.core.by_path import check_options, import_class, path_of
from egonorm.core.files import KEY, Format, parse_json, write_atomically
from egonorm.core.training import Evaluation, Optim, Precision, seed_for
from egonorm.core.types import FAMILIES
from egonorm.data.transforms import AudioInput, FeatureInput, Input, VideoInput
from egonorm.data.windows import Span
from egonorm.methods import Method, SourceOnly, find_method
from egonorm.nets.encoders import Encoder
from egonorm.nets.layers import Standardise
from egonorm.nets.net import Fusion, Net, load_network, network_of, read_metadata
from egonorm.signal import SoundLook, Spectrogram

CONFIG = "config.json"
RUN = Format("a run", "do the run again in another folder")
"""Of all that lies in a run's folder but saved clips: `config.json` says the version of rows, predictions and networks too."""


@dataclass(frozen=True)
class Stream:
    """One modality of the network: how its medium is looked at, and what encodes it."""

    input: Input
    encoder: Encoder


@dataclass(frozen=True)
class NetConfig:
    """The network: streams in the order of the pairs, and how they are fused."""

    streams: dict[str, Stream]
    span: Span
    """The window that a clip gives to every modality."""
    fusion: Fusion = "sum"
    dropout: float = 0.5

    def __post_init__(self):
        if not 0 <= self.dropout <= 1:
            raise SettingError(
                "The dropout cannot be used.", got=self.dropout, expected="0 to 1", remedy="Correct dropout."
            )

    def choose(self, modalities: tuple[str, ...]) -> "NetConfig":
        """The same with some of the streams, in the order given. SettingError for a name that is not among them."""
        unknown = [name for name in modalities if name not in self.streams]
        if unknown or not modalities or len(set(modalities)) != len(modalities):
            raise SettingError(
                "The modalities cannot be used.",
                got=",".join(modalities) or "none",
                expected=f"each once, of {', '.join(self.streams)}",
                remedy="Correct --modalities.",
            )
        return replace(self, streams={name: self.streams[name] for name in modalities})

    def start_from(self, modality: str, weights: str, sha256: str | None) -> "NetConfig":
        """The same with an encoder that starts from published weights. SettingError for a modality it does not have."""
        encoder = self._stream(modality, "weights").encoder
        return self._with_encoder(modality, replace(encoder, weights=weights, sha256=sha256))

    def encode_by(self, modality: str, text: str) -> "NetConfig":
        """The same with another encoder, `NAME:key=value` as in `Encoder.parse`.

        Raises:
            SettingError: for a modality it does not have, and an encoder that cannot be used for it.
        """
        stream = self._stream(modality, "encoder")
        encoder = Encoder.parse(text, stream.encoder)
        encoder.check(stream.input.reads)
        return self._with_encoder(modality, encoder)

    def widen(self, width: float) -> "NetConfig":
        """The same with another width of every encoder that has one."""
        return replace(self, streams={m: replace(s, encoder=s.encoder.widened(width)) for m, s in self.streams.items()})

    def check(self) -> None:
        """Refuse encoders that are not here or cannot be used for their inputs. SettingError."""
        for stream in self.streams.values():
            stream.encoder.check(stream.input.reads)

    def _stream(self, modality: str, option: str) -> Stream:
        if modality not in self.streams:
            raise SettingError(
                f"The {option} {'are' if option.endswith('s') else 'is'} of no use.",
                got=f"{option} for {modality}",
                expected=", ".join(self.streams),
                remedy=f"Correct --{option} or --modalities.",
            )
        return self.streams[modality]

    def _with_encoder(self, modality: str, encoder: Encoder) -> "NetConfig":
        return replace(self, streams=self.streams | {modality: replace(self.streams[modality], encoder=encoder)})

    def build(self, num_classes: int, seed: int = 0, pretrained: bool = False) -> Net:
        """The network, with the same first weights for the same seed; `pretrained` loads the published ones that it names."""
        torch.manual_seed(seed_for(seed, "net"))
        encoders = {name: stream.encoder.build(pretrained) for name, stream in self.streams.items()}
        net = Net(encoders, num_classes, self.fusion, self.dropout)
        for name, stream in self.streams.items():
            if isinstance(stream.input, FeatureInput) and stream.input.scaling != "none":
                net.standardise[name] = Standardise(stream.input.size)
        return net


ANYWHERE = Setting("dg1", ("source",), "target")
"""In place of a setting that does not matter, or is given later."""


@dataclass(frozen=True)
class Run:
    """One training and its judgement."""

    data: str
    """`KIND:PATH`."""
    setting: Setting
    net: NetConfig
    method: Method = field(default_factory=SourceOnly)
    optim: Optim = field(default_factory=Optim)
    evaluation: Evaluation = field(default_factory=Evaluation)
    seed: int = 0
    precision: Precision = "float32"

    @cached_property
    def name(self) -> str:
        """The folder's name: method, setting, seed, and eight digits that differ for any other configuration."""
        method, setting = self.method.name().replace(":", "-"), str(self.setting).replace(":", "-")
        return f"{method}-{setting}-{self.seed}-{digits(to_json(self))}"

    def build_net(self, num_classes: int, pretrained: bool = False) -> Net:
        """The network with its first weights, and with what the method adds to it."""
        net = self.net.build(num_classes, self.seed, pretrained)
        self.method.prepare(net)
        return net


def to_json(run: Run) -> str:
    """The run as JSON, the same text for equal runs."""
    return json.dumps(_converter().unstructure(run, Run), indent=2) + "\n"


def from_json(text: str) -> Run:
    """The run that `to_json` wrote; a user's method is imported. RunError for a method that is not here."""
    return _from_tree(parse_json(text), "This")


def _from_tree(tree: dict, what: str) -> Run:
    _find_method(tree, what)
    return _converter().structure(tree, Run)


def _find_method(tree: dict, what: str) -> type[Method]:
    try:
        return find_method(tree["method"]["name"])
    except SettingError as error:
        raise RunError(
            f"{what} is a run of a method that is not here.",
            got=f"{tree['method']['name']}: {error.got}",
            expected=error.expected,
            remedy=error.remedy,
        ) from None


def write_run(folder: Path, run: Run) -> None:
    """Write the configuration of a run's folder. The version is no part of the run: its name is the same in any."""
    tree = {KEY: RUN.version} | json.loads(to_json(run))
    write_atomically(folder / CONFIG, (json.dumps(tree, indent=2) + "\n").encode())


def read_run(folder: Path) -> Run:
    """The configuration of a run's folder.

    Raises:
        RunError: when the folder holds none that can be read here, or is of another version.
    """
    with _telling(folder):
        text = (folder / CONFIG).read_text()
        tree = parse_json(text)
        RUN.check(folder / CONFIG, tree.pop(KEY, 1))
        run = _from_tree(tree, str(folder))
        _check_digits(folder, text, run)
        return run


_NAMED = re.compile(rf".+-({'|'.join(map(re.escape, FAMILIES))})-.+-\d+-([0-9a-f]{{8}})")
"""A folder that is called as training calls it; one that a user has renamed otherwise says nothing of its configuration."""


def _check_digits(folder: Path, text: str, run: Run) -> None:
    """Refuse a configuration that is not the one that the folder is named after."""
    named = _NAMED.fullmatch(_own_name(folder))
    found = digits(to_json(run))
    if named and named[2] not in (found, _digits_as_written(text)):
        raise RunError(
            f"{folder / CONFIG} is not the configuration that its folder is named after.",
            got=f"one of the digits {found}",
            expected=f"{named[2]}, at the end of the folder's name",
            remedy=f"Bring the file back as it was. If it is right and the folder was renamed, name it {run.name}.",
        )


def _own_name(folder: Path) -> str:
    return folder.name or folder.resolve().name


def _digits_as_written(text: str) -> str:
    return digits(text.replace(f'  "{KEY}": {RUN.version},\n', "", 1))


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run as its folder has it: what tells runs apart at once, and all of it when it is asked for."""

    folder: Path
    setting: Setting
    seed: int
    method: Method
    modalities: tuple[str, ...]
    fusion: str
    common: str
    """The rest of the configuration as JSON: equal for equal ones."""

    @cached_property
    def run(self) -> Run:
        """The configuration."""
        with _telling(self.folder):
            return replace(_structured(self.common), setting=self.setting, seed=self.seed, method=self.method)


def read_stored(folder: Path) -> StoredRun:
    """The same for many folders, several times as soon.

    A configuration whose digits the folder has in its name is as it was written, and is not checked value by value.

    Raises:
        RunError: as `read_run` does.
    """
    with _telling(folder):
        text = (folder / CONFIG).read_text()
        tree = json.loads(text)
        if not _is_as_written(folder, text, tree):
            tree = json.loads(to_json(read_run(folder)))
        tree.pop(KEY, 1)
        found, options = _find_method(tree, str(folder)), tree.pop("method")
        options.pop("name")
        own = Setting.parse(tree.pop("setting")), tree.pop("seed"), _plain.structure(options, found)
        return StoredRun(folder, *own, tuple(tree["net"]["streams"]), tree["net"]["fusion"], json.dumps(tree))


def _is_as_written(folder: Path, text: str, tree: dict) -> bool:
    """Whether a configuration is of this version, the one that the folder is named after, and of inputs that are here."""
    own = _own_name(folder).rpartition("-")[2]
    inputs = (stream["input"]["kind"] for stream in tree["net"]["streams"].values())
    is_ours = (
        type(tree.get(KEY, 1)) is int and tree.get(KEY, 1) == RUN.version and all(kind in _INPUTS for kind in inputs)
    )
    return is_ours and own == _digits_as_written(text)


def digits(text: str) -> str:
    """The eight digits of a configuration's JSON that stand in the names of folders."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@lru_cache(maxsize=256)
def _structured(common: str) -> Run:
    tree = json.loads(common) | {"setting": str(ANYWHERE), "seed": 0, "method": {"name": SourceOnly.name()}}
    return _converter().structure(tree, Run)


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """Say of a folder what keeps its configuration from being read. RunError."""
    try:
        yield
    except RunError:
        raise
    except (
        EgonormError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,  # JSON that nests too deep
        cattrs.BaseValidationError,
    ) as error:
        if (inner := _own_error(error)) is not None:
            raise _unreadable(folder, inner) from None
        raise RunError(
            f"{folder} is not the folder of a run.",
            got=f"{CONFIG}: {type(error).__name__}: {error}",
            expected="the config.json that egonorm train wrote",
            remedy=_name_a_run(folder),
        ) from None


def _unreadable(folder: Path, error: EgonormError) -> RunError:
    """What a run names is not here, or cannot be used."""
    parts = {"got": error.got, "expected": error.expected, "remedy": error.remedy}
    return RunError(f"The run in {folder} cannot be read here: {error.what}", **parts)


def _name_a_run(folder: Path) -> str:
    """What to do about a folder without a configuration that can be read; nothing in it is to be removed."""
    if (folder / CONFIG).exists():
        return f"Bring {CONFIG} back from a copy, or do the run anew with another --out."
    runs = sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))
    return (
        f"Name one of the runs in it, such as {runs[0]}."
        if runs
        else "Name a run's folder, which is below --out of train."
    )


def _own_error(error: BaseException) -> EgonormError | None:
    """What a class that the configuration names was refused for; cattrs wraps it in groups of its own."""
    if isinstance(error, EgonormError):
        return error
    return next(filter(None, map(_own_error, getattr(error, "exceptions", ()))), None)


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(Setting, str)
    converter.register_structure_hook(Setting, lambda text, _: Setting.parse(text))
    unset = override(omit_if_default=True)  # so that runs from before it was an option keep their names
    later: dict[str, Any] = dict.fromkeys(LATER, unset)
    converter.register_unstructure_hook(Optim, make_dict_unstructure_fn(Optim, converter, **later))
    converter.register_unstructure_hook(Encoder, make_dict_unstructure_fn(Encoder, converter, options=unset))
    converter.register_unstructure_hook(FeatureInput, make_dict_unstructure_fn(FeatureInput, converter, scaling=unset))
    configure_tagged_union(SoundLook, converter, tag_name="kind", default=Spectrogram)
    converter.register_unstructure_hook_func(_is_input, lambda given: _input_tree(converter, given))
    converter.register_structure_hook_func(_is_input, lambda tree, _: _input(converter, dict(tree)))
    converter.register_unstructure_hook(Method, lambda m: {"name": m.name()} | _plain.unstructure(m, type(m)))
    converter.register_structure_hook(Method, lambda tree, _: _method(dict(tree)))
    return converter


LATER = ("micro_batch", "optimizer", "betas", "schedule", "warm_up", "lr_factors", "frozen")
"""Of `Optim`, what is written where it is not as by default."""
_INPUTS = {given.__name__: given for given in (VideoInput, AudioInput, FeatureInput)}
"""Those whose `kind` in config.json is a bare name; any other has its path."""


def _is_input(kind: type) -> bool:
    return kind is Input


def _input_tree(converter: cattrs.Converter, given: Input) -> dict[str, Any]:
    kind, name = type(given), type(given).__name__
    return converter.unstructure(given, kind) | {"kind": name if _INPUTS.get(name) is kind else path_of(kind)}


def _input(converter: cattrs.Converter, tree: dict[str, Any]) -> Input:
    name = tree.pop("kind")
    kind: Any = _INPUTS[name] if name in _INPUTS else import_class(name, object, "input")
    missing = [part for part in ("reads", "varies", "augment", "to_inputs") if not hasattr(kind, part)]
    if missing or not is_dataclass(kind):
        raise SettingError(
            f"{name} is no input.",
            got=f"a class without {', '.join(missing)}" if missing else "a class that is no dataclass",
            expected="a frozen dataclass with reads, varies, augment and to_inputs",
            remedy="Add what is missing (egonorm.data.Input says what it is), or name another class.",
        )
    found: Any = converter.structure(tree, cast(Any, kind))
    return found


_plain = cattrs.Converter(forbid_extra_keys=True)


def _method(tree: dict) -> Method:
    found = find_method(name := tree.pop("name"))
    # those of parts are read by their fields' own types
    check_options(found, {option: value for option, value in tree.items() if not isinstance(value, dict)}, name)
    return _plain.structure(tree, found)


CHECKPOINTS = "checkpoints"
"""The folder of a run's networks, in the run's."""


def predictions_of(folder: Path, step: int, domain: str) -> Path:
    """The file of what a run's checkpoint says of a domain's test clips."""
    return folder.joinpath("predictions", f"{step:06d}-{domain}.npz")


def prediction_files(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """The files of predictions in a run's folder, with step and domain."""
    for path in sorted((folder / "predictions").glob("*.npz")):
        step, _, domain = path.stem.partition("-")
        if step.isdecimal():
            yield path, int(step), domain


def load_trained(folder: Path, run: Run, step: int, like: Net | None = None) -> tuple[Net, tuple[str, ...]]:
    """The network of a run's folder after a step, in evaluation, and the classes that it was trained on.

    Args:
        like: the run's network after another step; a copy of it is made sooner than a new one.

    Raises:
        RunError: when that checkpoint is not there, or does not fit the run; when an encoder is not here.
    """
    path = network_of(folder / CHECKPOINTS, step)
    if not path.exists():
        raise RunError(
            f"{folder} has no network of step {step}.",
            got=f"no file {path}",
            expected="a checkpoint that training kept",
            remedy=f"Copy the run's {CHECKPOINTS} here; or do the run anew with another --out.",
        )
    classes = tuple(read_metadata(path, "classes")["classes"])
    try:
        net = run.build_net(len(classes)) if like is None else copy.deepcopy(like)
    except SettingError as error:
        raise _unreadable(folder, error) from None
    load_network(path, net)
    return net.eval(), classes
