"""The network: an encoder per modality, a neck on each feature, a fusion that decides; its blocks by name, and its file."""

import shlex
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from egonorm.core import RunError, View
from egonorm.core.errors import ArgumentError
from egonorm.core.tensors import read_about, read_tensors

Fusion = Literal["sum", "concat"]
Features = Mapping[str, Float[Tensor, "clip _"]]
Logits = Float[Tensor, "clip label"]


class SumFusion(nn.Module):
    """One linear classifier per modality; the logits are summed (RNA-Net, Section 5.1, late fusion)."""

    def __init__(self, num_features: Mapping[str, int], num_classes: int, dropout: float):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifiers = nn.ModuleDict({m: _linear(size, num_classes) for m, size in num_features.items()})

    def forward(self, features: Features) -> Logits:
        """The fused logits."""
        return torch.stack(list(self.classify_each(features).values())).sum(dim=0)

    def classify_each(self, features: Features) -> dict[str, Logits]:
        """Each modality's own logits."""
        return {m: classifier(self.dropout(features[m])) for m, classifier in self.classifiers.items()}


class ConcatFusion(nn.Module):
    """The features side by side through a hidden layer of 512 (Temporal Binding Network's fusion; the paper's mid-level).

    A single modality is judged with the others' features set to zero.
    """

    def __init__(self, num_features: Mapping[str, int], num_classes: int, dropout: float, hidden: int = 512):
        super().__init__()
        self.hidden = _linear(sum(num_features.values()), hidden)
        self.dropout = nn.Dropout(dropout)
        self.classifier = _linear(hidden, num_classes)

    def forward(self, features: Features) -> Logits:
        """The fused logits."""
        return self.classifier(self.dropout(self.hidden(torch.cat(list(features.values()), dim=1)).relu()))

    def classify_each(self, features: Features) -> dict[str, Logits]:
        """The logits that each modality gives alone."""
        return {m: self({k: x if k == m else torch.zeros_like(x) for k, x in features.items()}) for m in features}


def make_fusion(
    fusion: Fusion, num_features: Mapping[str, int], num_classes: int, dropout: float
) -> SumFusion | ConcatFusion:
    """The fusion of a name."""
    kind = SumFusion if fusion == "sum" else ConcatFusion
    return kind(num_features, num_classes, dropout)


def _linear(num_inputs: int, num_outputs: int) -> nn.Linear:
    """A layer of truncated normal weights, standard deviation 1/sqrt(inputs): 1/32 at 1024, as the authors' I3D head."""
    layer = nn.Linear(num_inputs, num_outputs)
    std = num_inputs**-0.5
    nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
    nn.init.zeros_(layer.bias)
    return layer


class Net(nn.Module):
    """Streams that share nothing but the decision (Planamente et al., Fig. 2).

    Attributes:
        encoders: per modality, from its input to a feature (`encoders.py` says what they get and what they have).
        standardise: of modalities that are stored features, what their columns pass first (`layers.Standardise`).
        necks: per modality, what the feature passes next; the identity unless a method puts something there.
        fusion: from features to logits.
        extra: what a method learns besides (discriminators, correspondence heads); empty unless it adds to it.
        always_in_evaluation: names of modules that stay in evaluation when the rest trains.
    """

    def __init__(
        self, encoders: Mapping[str, nn.Module], num_classes: int, fusion: Fusion = "sum", dropout: float = 0.5
    ):
        super().__init__()
        self.num_classes = num_classes
        self.encoders = nn.ModuleDict({m: _laid_out(encoder) for m, encoder in encoders.items()})
        self.standardise = nn.ModuleDict()
        self.necks = nn.ModuleDict({name: nn.Identity() for name in encoders})
        self.fusion = make_fusion(fusion, self.num_features, num_classes, dropout)
        self.extra = nn.ModuleDict()
        self.always_in_evaluation: tuple[str, ...] = ()

    def train(self, mode: bool = True) -> "Net":
        """Training, but for what is always in evaluation; or evaluation."""
        super().train(mode)
        for name in self.always_in_evaluation:
            self.get_submodule(name).eval()
        return self

    @property
    def num_features(self) -> dict[str, int]:
        """Per modality, the size of its feature."""
        return {name: cast(int, encoder.num_features) for name, encoder in self.encoders.items()}

    def features(self, inputs: Mapping[str, Tensor]) -> dict[str, Float[Tensor, "clip _"]]:
        """Per modality, the feature before dropout; float32 where the network computes in less.

        Raises:
            ArgumentError: when the input of a modality is missing.
        """
        if missing := [name for name in self.encoders if name not in inputs]:
            raise ArgumentError(
                f"The network has no input of {', '.join(missing)}.",
                got=", ".join(inputs) or "none",
                expected=", ".join(self.encoders),
                remedy="Give every modality's input, or choose the network's modalities when it is built.",
            )
        return self.apply_necks({name: self.encode(name, inputs[name]) for name in self.encoders})

    def apply_necks(self, encoded: Features) -> dict[str, Float[Tensor, "clip _"]]:
        """The features, from what `encode` gave for each modality."""
        found = {name: self.necks[name](x) for name, x in encoded.items()}
        return {name: x.to(torch.promote_types(x.dtype, torch.float32)) for name, x in found.items()}

    def encode(self, name: str, x: Tensor) -> Float[Tensor, "clip feature"]:
        """What one modality's encoder makes of its input."""
        return self.encoders[name](self.standardise[name](x) if name in self.standardise else x)

    def forward(self, inputs: Mapping[str, Tensor]) -> View:
        """Features, fused logits and each modality's own; in training each of these logits has dropout of its own."""
        features = self.features(inputs)
        return View("", features, self.classify(features), single_logits=self.classify_each(features))

    def classify(self, features: Features) -> Logits:
        """The fused logits."""
        return self.fusion(features)

    def classify_each(self, features: Features) -> dict[str, Logits]:
        """Per modality, the logits that it gives alone."""
        return self.fusion.classify_each(features)


def _laid_out(encoder: nn.Module) -> nn.Module:
    """The encoder with its weights in the order in memory that it declares, which decides its speed and nothing else."""
    order = getattr(encoder, "memory_format", None)
    return encoder if order is None else encoder.to(memory_format=order)  # type: ignore[call-overload]  # torch declares it for tensors alone


_PARTS = {"encoders": "encoder", "necks": "neck", "fusion.classifiers": "classifier"}
"""The parts of a modality: where `Net` keeps them, and what they are called."""
FUSION = "fusion"


def block_of(name: str, blocks: Collection[str]) -> str | None:
    """The smallest of some blocks that a parameter or module lies in; None where it is in none.

    Everything of a modality is in the block of its name: `rgb.encoder`, `rgb.neck`, and with late fusion `rgb.classifier`. The
    block `fusion` is what decides: the classifiers of all modalities, or the layers over them. What else a network has is called
    as it is there. A block may end in a module's name where a word of it ends, at an underscore or between a digit and a
    letter: `mixed_4` is Mixed_4b to Mixed_4f, `inception_4a` all convolutions of that block. Case does not matter.

    Args:
        name: as in `named_parameters()` or `named_modules()` of the network.
    """
    found = [block for block in blocks if any(_lies_in(known, block.lower()) for known in _names(name))]
    # fusion is smaller than a modality: of that, it has only the classifier
    return max(found, key=lambda block: (block.count("."), block.lower() == FUSION, len(block)), default=None)


def check_blocks(blocks: Iterable[str], parameters: Collection[str], option: str) -> None:
    """Refuse blocks in which no parameter of a network lies.

    Raises:
        RunError: names what there is, as far as the name is right.
    """
    for block in blocks:
        if not any(block_of(name, [block]) for name in parameters):
            raise RunError(
                f"{option}: the network has no block {block}.",
                got=block,
                expected=", ".join(_near(block.lower(), parameters)),
                remedy="Write one of these, or a block in one of these.",
            )


def _names(name: str) -> tuple[str, ...]:
    """All names of a parameter or module, in small letters."""
    for place, part in _PARTS.items():
        if name.startswith(f"{place}."):
            modality, dot, inside = name.removeprefix(f"{place}.").lower().partition(".")
            of_modality = f"{modality}.{part}{dot}{inside}"
            return (of_modality, name.lower()) if place.startswith(FUSION) else (of_modality,)
    return (name.lower(),)


def _lies_in(name: str, block: str) -> bool:
    if not name.startswith(block):
        return False
    rest = name[len(block) :]
    ends_word = rest.startswith("_") or (block[-1:].isdigit() and rest[:1].isalpha())
    return not rest or rest.startswith(".") or ("." in block and ends_word)


def _near(block: str, parameters: Collection[str]) -> list[str]:
    """The blocks one step further in than the part of a name that is right; two steps where nothing is."""
    names = [known for name in parameters for known in _names(name)]
    words = block.split(".")
    for depth in range(len(words) - 1, 0, -1):
        start = ".".join(words[:depth]) + "."
        inside = dict.fromkeys(start + _short(name[len(start) :]) for name in names if name.startswith(start))
        if inside:
            return list(inside)
    tops = dict.fromkeys(name.partition(".")[0] for name in names)
    return [near for top in tops for near in (top, *([] if top == FUSION else _near(f"{top}.", parameters)))]


def _short(name: str) -> str:
    """The first module's name, as far as its second word: many of one stage are one block."""
    return "_".join(name.partition(".")[0].split("_")[:2])


def network_of(folder: Path, step: int) -> Path:
    """The file of a step's network among a run's checkpoints."""
    return folder / f"{step:06d}.safetensors"


def load_network(path: Path, net: nn.Module) -> None:
    """Load a checkpoint's weights into a network of the same shape.

    Raises:
        RunError: when they do not fit, or the file is not as it was written.
    """
    weights = read_checkpoint(path)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise RunError(
            f"{path} does not fit the network.",
            got=_first_reason(str(error)),
            expected="the weights that this run's configuration describes",
            remedy="Test it with the configuration that it was trained with.",
        ) from None


def _first_reason(error: str) -> str:
    """Of what torch says about weights that do not fit, the first line that names some of them."""
    lines = [line.strip() for line in error.splitlines()]
    return lines[1 if len(lines) > 1 else 0][:200]


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that training wrote. RunError where it is not as it was written."""
    try:
        return read_tensors(path)
    except (OSError, ValueError) as error:
        raise _no_checkpoint(path, str(error)) from None


def read_metadata(path: Path, *needed: str) -> dict[str, Any]:
    """The `step` of a checkpoint and what was said about it when it was saved.

    Args:
        needed: names of lists that have to be among it.

    Raises:
        RunError: when the file is no checkpoint, or does not say that.
    """
    try:
        about = read_about(path)
        kinds = {"step": int} | dict.fromkeys(needed, list)
        if wrong := [name for name, kind in kinds.items() if not isinstance(about.get(name), kind)]:
            raise ValueError(f"metadata without {', '.join(wrong)}")
        return about
    except (OSError, ValueError) as error:
        raise _no_checkpoint(path, str(error)) from None


def _no_checkpoint(path: Path, got: str) -> RunError:
    return RunError(
        f"{path} is not a checkpoint.",
        got=got,
        expected="a safetensors file as training wrote it",
        remedy=f"Bring it back from a copy. Or move {path.parent} and, if it is there, results.jsonl beside it away: then "
        f"{shlex.join(['egonorm', 'train', '--resume', str(path.parent.parent)])} trains anew.",
    )
