"""Encoders by name or path, with their options.

An encoder is a module that makes a vector of each clip. Each module of this folder with an `ENCODER` is one; a user's is named
`package.module:Class`. All that it must have is

- `num_features`, the length of the vector, and
- `forward(x)`, from what the stream's input prepares of a batch to `clip feature` in floats: of pictures and flow it gets bytes,
  `UInt8 clip frame height width channel`, which it normalises as it was trained (`layers.py`); of sound spectrograms, `Float
  clip 1 frequency time`; of features vectors, `Float clip feature`.

Its constructor gets the number of channels (or of a vector's numbers) as `in_channels` and a factor on its own sizes as `width`
if it has parameters of these names, and further options by theirs. It may declare

- `reads`, the kinds of input that it understands (`egonorm.data.Input`); any other is then refused before training,
- `memory_format`, the order of its weights in memory, where one makes it faster,
- `maps`, an `nn.Identity` that its last maps pass, `clip channel (frame) height width`, for activation maps, and
- `norms_follow = True`, if every batch norm that is registered right behind a convolution normalises that convolution's output
  and nothing else, so that it can be folded into it for evaluation (`layers.py`).
"""

import importlib
import json
import pkgutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from torch import nn

from egonorm.core import SettingError
from egonorm.core.by_path import check_options, find_class, make, read_options, split_choice, takes
from egonorm.nets.weights.load import load_weights


@dataclass(frozen=True)
class Encoder:
    """Which network makes a modality's features."""

    name: str
    """The network, one of `encoder_classes()`, or `package.module:Class`."""
    in_channels: int
    width: float = 1.0
    """Factor on every number of channels; 1 is the published network."""
    weights: str | None = None
    """A path or URL of published weights; without them training starts from random ones."""
    sha256: str | None = None
    """Checksum of that file."""
    options: dict[str, Any] = field(default_factory=dict)
    """Further keyword arguments of the network's class, as JSON has them."""

    @classmethod
    def parse(cls, text: str, like: Self) -> Self:
        """`NAME:key=value:key=value` with the channels of another encoder, and its width if the class has one.

        Raises:
            SettingError: for a class that is not there or no encoder, and for options that it does not have.
        """
        name, texts = split_choice(text)
        kind = find_class(name, encoder_classes(), nn.Module, "encoder")
        own = {"in_channels": like.in_channels} | ({"width": like.width} if takes(kind, "width") else {})
        given = own | read_options(kind, texts, name)
        sizes = {size: given.pop(size) for size in ("in_channels", "width") if size in given}
        return cls(name, **sizes, options=_as_json(given, name))

    def widened(self, width: float) -> Self:
        """The same with another width, if the class has one."""
        return replace(self, width=width) if takes(self.find(), "width") else self

    def find(self) -> type[nn.Module]:
        """The class. SettingError when it is not there, is no encoder, or lacks one of the options."""
        kind = find_class(self.name, encoder_classes(), nn.Module, "encoder")
        check_options(kind, self._arguments(kind), self.name)
        return kind

    def check(self, reads: str) -> None:
        """Refuse what cannot be built for a kind of input, before anything is written.

        Raises:
            SettingError: as `build` does, and for an encoder that does not understand the input.
        """
        understood = getattr(self.find(), "reads", (reads,))
        if reads not in understood:
            raise SettingError(
                f"{self.name} is no encoder of {reads}.",
                got=reads,
                expected=" or ".join(understood),
                remedy="Give it to another modality, or choose another encoder.",
            )
        if ":" in self.name:
            self.build(pretrained=False)

    def build(self, pretrained: bool = True) -> nn.Module:
        """The network, with its weights loaded if `pretrained`.

        Raises:
            SettingError: as `find` does, and for a network that does not say how long its feature is.
            WeightsError: for weights that do not fit.
        """
        kind = self.find()
        encoder = make(kind, self._arguments(kind), self.name)
        size = getattr(encoder, "num_features", None)
        if not isinstance(size, int) or size < 1:
            raise SettingError(
                f"{self.name} does not say how long its feature is.",
                got="no num_features" if size is None else f"num_features = {size!r}",
                expected="an encoder with num_features, a positive whole number",
                remedy="Let its constructor set self.num_features to the size of what forward returns.",
            )
        if pretrained and self.weights is not None:
            load_weights(encoder, self.weights, self.sha256)
        return encoder

    def _arguments(self, kind: type[nn.Module]) -> dict[str, Any]:
        channels = {"in_channels": self.in_channels} if takes(kind, "in_channels") else {}
        width = {"width": self.width} if self.width != 1 or takes(kind, "width") else {}
        return channels | width | self.options

    def __str__(self) -> str:
        """The name, and what is not as usual."""
        width = [] if self.width == 1 else [f"width {self.width:g}"]
        return ", ".join([self.name, *width, *(f"{option} {value}" for option, value in self.options.items())])


def encoder_classes() -> dict[str, type[nn.Module]]:
    """Every encoder of this folder by its name."""
    folder = [str(Path(__file__).parent)]
    modules = [importlib.import_module(f"egonorm.nets.{module.name}") for module in pkgutil.iter_modules(folder)]
    encoders = [module.ENCODER for module in modules if hasattr(module, "ENCODER")]
    return {encoder.name: encoder for encoder in encoders}


def _as_json(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The values as they are read back from a configuration: tuples become lists."""
    try:
        return json.loads(json.dumps(values))
    except TypeError:
        raise SettingError(
            f"{name} cannot use these options.",
            got=repr(values),
            expected="numbers, texts, true, false, None, and lists or dictionaries of these",
            remedy="Correct the options.",
        ) from None
