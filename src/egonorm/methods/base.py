"""What a method is: hyper-parameters and three hooks that default to nothing. To add one, copy `rna.py`."""

import importlib
import pkgutil
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from egonorm.core import Batch, Seen, Setting, SettingError, Terms
from egonorm.nets.net import Net


@dataclass(frozen=True)
class Method:
    """A way to train beyond the class loss. It holds no tensors: what it must learn, it adds to the net."""

    target_use: ClassVar[frozenset[str]] = frozenset()
    """When unlabelled target clips are of use to it: in `terms` ("training"), or in `adapt` ("after" training, at "test")."""
    target_needed: ClassVar[bool] = False
    """Whether it makes no sense without them."""
    min_modalities: ClassVar[int] = 1

    @classmethod
    def name(cls) -> str:
        """The class's name in kebab-case, as on the command line."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def prepare(self, net: Net) -> None:
        """Add what must be learnt (heads, necks) to the net, before training."""

    def terms(self, seen: Seen, net: Net) -> Terms:
        """Named, weighted scalars to descend beside the class loss; one that is named "class" takes its place."""
        return {}

    def adapt(self, net: Net, target: Iterable[Batch]) -> None:
        """Change the net by unlabelled target clips: the training clips after training, or each batch of test clips at test."""


def methods() -> dict[str, type[Method]]:
    """Every method by name: those in this folder, and any direct subclass that a user's program has defined."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"egonorm.methods.{module.name}")
    return {method.name(): method for method in Method.__subclasses__()}


def target_moments(method: Method, setting: Setting) -> frozenset[str]:
    """When a setting shows unlabelled target clips to a method that has a use for them then: of its `target_use`."""
    shown = {"never": set(), "training": {"training", "after"}, "test": {"test"}}[setting.target_visible]
    return method.target_use & shown


def check(method: Method, setting: Setting, modalities: Iterable[str]) -> None:
    """Refuse a method in a setting, or with modalities, that it cannot work with.

    Raises:
        SettingError: names the method and the setting.
    """
    modalities = tuple(modalities)
    if method.target_needed and not target_moments(method, setting):
        raise SettingError(
            f"The method {method.name()} cannot work in the setting {setting}.",
            got=f"target clips visible: {setting.target_visible}",
            expected=" or ".join(_MOMENTS[moment] for moment in sorted(method.target_use)),
            remedy="Use a setting of another family, or a method that needs no target clips.",
        )
    if len(modalities) < method.min_modalities:
        raise SettingError(
            f"The method {method.name()} cannot work in the setting {setting} with {len(modalities)} modality.",
            got=", ".join(modalities),
            expected=f"{method.min_modalities} modalities or more",
            remedy="Add one with --modalities, or choose another method.",
        )


def need_equal_sizes(method: Method, net: Net) -> None:
    """Refuse a network whose modalities have features of different sizes, between which there is no angle.

    Raises:
        SettingError: names the method and the sizes.
    """
    if len(set(net.num_features.values())) > 1:
        raise SettingError(
            f"The method {method.name()} compares directions of features.",
            got=", ".join(f"{name}: {size} numbers" for name, size in net.num_features.items()),
            expected="features of one size",
            remedy="Give the encoders equal widths, or choose another method.",
        )


_MOMENTS = {
    "training": "unlabelled target clips in training",
    "after": "unlabelled target clips when training has ended (the family uda)",
    "test": "unlabelled target clips at test",
}
