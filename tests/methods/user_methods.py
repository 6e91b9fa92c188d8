"""Methods as a user writes them in a module of their own: CONTRIBUTING.md shows how."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import tanh
from typing import ClassVar

import torch
from torch.nn.functional import cross_entropy

from egonorm.core import Seen, Terms
from egonorm.methods import Method, Rna
from egonorm.nets.net import Net


@dataclass(frozen=True)
class VRex(Method):
    """V-REx: the variance over the sources of their class losses (Krueger et al., ICML 2021)."""

    min_sources: ClassVar[int] = 2

    weight: float = 1.0
    """Weight of the variance, the class loss having 1."""

    def terms(self, seen: Seen, net: Net) -> Terms:
        """One term: the variance, not corrected for the number of sources."""
        losses = [cross_entropy(view.logits, view.labels) for view in seen.views if view.labels is not None]
        return {"v-rex": self.weight * torch.stack(losses).var(correction=0)}


@dataclass(frozen=True)
class Ogm(Method):
    """OGM: the gradients of a modality that is ahead of the others are made smaller (Peng et al., CVPR 2022)."""

    min_modalities: ClassVar[int] = 2

    alpha: float = 0.5
    """How much smaller: by the factor 1 - tanh(alpha * ratio)."""

    def backward(self, terms: Terms, seen: Seen, net: Net) -> None:
        """Scale the gradients of each encoder whose modality gives the labels more probability than the mean of the others."""
        super().backward(terms, seen, net)
        for modality, factor in self.factors(seen, net).items():
            for parameter in net.encoders[modality].parameters():
                if parameter.grad is not None:
                    parameter.grad *= factor

    @torch.no_grad()
    def factors(self, seen: Seen, net: Net) -> dict[str, float]:
        """Per modality, what its encoder's gradients are multiplied by."""
        scores = dict.fromkeys(net.encoders, 0.0)
        for view in seen.views:
            if view.labels is not None:
                for modality, logits in net.classify_each(view.features).items():
                    scores[modality] += float(logits.softmax(dim=1).gather(1, view.labels[:, None]).sum())
        ratios = {m: score * (len(scores) - 1) / (sum(scores.values()) - score) for m, score in scores.items()}
        return {m: 1 - tanh(self.alpha * ratio) if ratio > 1 else 1.0 for m, ratio in ratios.items()}


@dataclass(frozen=True)
class Projected(Method):
    """Several backward passes: what a modality's own gradient has against the fused one is taken out of it."""

    weight: float = 1.0

    def terms(self, seen: Seen, net: Net) -> Terms:
        """Each modality's own class loss."""
        found = dict.fromkeys(net.encoders, 0.0)
        for view in seen.views:
            if view.labels is not None:
                for name, logits in net.classify_each(view.features).items():
                    found[name] = found[name] + self.weight * cross_entropy(logits, view.labels)
        return {f"alone/{name}": loss for name, loss in found.items()}

    def backward(self, terms: Terms, seen: Seen, net: Net) -> None:
        """The fused loss's gradient for all; of the encoders also that of their own loss, without what is against it."""
        parameters = {name: list(net.encoders[name].parameters()) for name in net.encoders}
        own = {
            name: torch.autograd.grad(terms[f"alone/{name}"], p, retain_graph=True) for name, p in parameters.items()
        }
        heads = sum(loss for name, loss in terms.items() if name != "class")
        terms["class"].backward(retain_graph=True)
        fused = {name: [x.grad.clone() for x in p] for name, p in parameters.items()}
        heads.backward()
        for name, p in parameters.items():
            dot = sum((a * b).sum() for a, b in zip(own[name], fused[name], strict=True))
            length = sum((b * b).sum() for b in fused[name])
            for x, a, b in zip(p, own[name], fused[name], strict=True):
                x.grad = b + (a - dot.clamp(max=0) / length * b)


@dataclass(frozen=True)
class VRexRna(Method):
    """A composition, whose parts both have a weight."""

    min_sources: ClassVar[int] = 2
    min_modalities: ClassVar[int] = 2

    v_rex: VRex = field(default_factory=VRex)
    rna: Rna = field(default_factory=lambda: Rna(weight=0.5))

    def terms(self, seen: Seen, net: Net) -> Terms:
        """The terms of both."""
        return self.v_rex.terms(seen, net) | self.rna.terms(seen, net)


@dataclass(frozen=True)
class Outer(Method):
    """A composition with a composition in it."""

    inner: VRexRna = field(default_factory=VRexRna)
    weight: float = 1.0


@dataclass(frozen=True)
class Deeper(VRex):
    """A subclass of a subclass."""

    power: float = 2.0

    def __post_init__(self):
        if self.power <= 0:
            raise ValueError(f"the power {self.power} is not above 0")


@dataclass(frozen=True)
class Careless(Method):
    """A composition without the backward pass of its part."""

    ogm: Ogm = field(default_factory=Ogm)


@dataclass(frozen=True)
class Needy(Method):
    """An option without a default."""

    taus: tuple[float, ...]
    name_of: str | None = None


class Base(Method, ABC):
    """A mere base."""

    @abstractmethod
    def scale(self) -> float:
        """Left to others."""

    @abstractmethod
    def loss(self) -> float:
        """This too."""


class Plain(Method):
    """No dataclass."""

    weight: float = 1.0


@dataclass(frozen=True)
class Shadow(Method):
    """An option that hides what every method has."""

    label: float = 1.0
    min_sources: int = 2


@dataclass(frozen=True)
class Lazy(Method):
    """A backward pass that gives no gradient."""

    def backward(self, terms: Terms, seen: Seen, net: Net) -> None:
        """Nothing."""


def helper() -> None:
    """No class."""
