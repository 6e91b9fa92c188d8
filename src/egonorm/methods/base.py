"""What a method is, what it can do in a setting, and which there are by name."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from egonorm.core import Batch, EgonormError, Seen, Setting, SettingError, Terms
from egonorm.core.by_path import find_class, make, options_of, path_of, read_options, split_choice, write_choice
from egonorm.nets.net import Net


@dataclass(frozen=True)
class TrainedRun:
    """What a method may ask of another run, one that is complete."""

    norms: tuple[Mapping[tuple[str, str], float], ...]
    """Per training step, the mean feature norm by domain and modality."""


@dataclass(frozen=True)
class Method:
    """A way to train beyond the class loss. It holds no tensors: what it must learn, it adds to the net.

    A composition holds other methods as fields, and joins what their hooks do.
    """

    target_use: ClassVar[frozenset[str]] = frozenset()
    """When unlabelled target clips are of use to it: in `terms` ("training"), or in `adapt` ("after" training, at "test")."""
    target_needed: ClassVar[bool] = False
    """Whether it makes no sense without them."""
    min_modalities: ClassVar[int] = 1
    min_sources: ClassVar[int] = 1
    """How many domains with labels a step must show: 2 for what compares them."""
    from_runs: ClassVar[Mapping[str, "Method"]] = {}
    """Fields that a sweep takes from another run, and that run's method: in the same shift, without its target, trained first.

    Runs that differ in these fields alone are of one configuration: in a table they are one method.
    """

    @classmethod
    def name(cls) -> str:
        """As on the command line and in files: the class's name in kebab-case; of a user's class, `package.module:Class`."""
        if cls.__module__.startswith(f"{__package__}."):
            return in_kebab_case(cls)
        return path_of(cls)

    def label(self) -> str:
        """The shortest text that `parse_method` reads back: the name, and each option that is not at its default."""
        changed = dict(_changed_options(self))
        return write_choice(self.name(), changed) if changed else self.name()

    def resolve(self, runs: Mapping["Method", TrainedRun]) -> "Method":
        """The same with the fields in `from_runs` taken from the runs of the methods that are named there."""
        return self

    def prepare(self, net: Net) -> None:
        """Add what must be learnt (heads, necks) to the net, before training."""

    def terms(self, seen: Seen, net: Net) -> Terms:
        """Named, weighted scalars to descend beside the class loss; one that is named "class" takes its place."""
        return {}

    def backward(self, terms: Terms, seen: Seen, net: Net) -> None:
        """Give every parameter its gradient: that of the sum of the terms, the class loss among them.

        Another one may change gradients before or after it calls this one, but not what is logged: the terms, whose sum is the
        total. Every gradient that it meets is of the whole batch, whatever the number of processes.
        """
        torch.stack(list(terms.values())).sum().backward()

    def adapt(self, net: Net, target: Iterable[Batch]) -> Iterator[None] | None:
        """Change a net by unlabelled target clips, which `target` has in batches.

        "after" training these are the training clips, and all that counts is the net at the end. At "test" they are the clips
        that are judged, in the order of judging, and this is a generator: it yields when the net is ready to predict the batch
        that it took last, and is then asked for the next. What it holds in local variables (an optimiser, a running mean) lives
        as long as the judgement of one net.
        """


def class_loss(seen: Seen) -> Tensor:
    """The mean cross-entropy of the fused logits in each domain with labels, summed over these."""
    labelled = [(view.logits, view.labels) for view in seen.views if view.labels is not None]
    return torch.stack([cross_entropy(logits, labels) for logits, labels in labelled]).sum()


def num_labelled(seen: Seen) -> int:
    """How many domains of a step have a class loss, which add up; a mean over all clips counts as often, to keep its share."""
    return sum(view.labels is not None for view in seen.views)


def in_kebab_case(found: type) -> str:
    """A class's name with dashes between its words: `rna-grl` of `RnaGrl`."""
    return _in_kebab_case(found.__name__)


@cache
def _in_kebab_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def unresolved(method: Method) -> Method:
    """The method with the fields that other runs decide as they are by default: equal for runs of one configuration."""
    defaults = {field.name: _default(field) for field in fields(method) if field.name in method.from_runs}
    return replace(method, **defaults) if defaults else method


def changes_gradients(method: Method) -> bool:
    """Whether it has a backward pass of its own."""
    return type(method).backward is not Method.backward


def parts_of(method: Method) -> dict[str, Method]:
    """The methods that a composition holds, by field; and theirs, as `field.field`."""
    held = {field.name: getattr(method, field.name) for field in fields(method)}
    own = {name: value for name, value in held.items() if isinstance(value, Method)}
    return own | {f"{name}.{deeper}": part for name, value in own.items() for deeper, part in parts_of(value).items()}


def target_moments(method: Method, setting: Setting) -> frozenset[str]:
    """When a setting shows unlabelled target clips to a method that has a use for them then: of its `target_use`."""
    shown = {"never": set(), "training": {"training", "after"}, "test": {"test"}}[setting.target_visible]
    return method.target_use & shown


def check(method: Method, setting: Setting, modalities: Iterable[str]) -> None:
    """Refuse a method, or a part of it, with numbers, in a setting or with modalities that it cannot work with.

    Raises:
        SettingError: names the method and the setting.
    """
    modalities, parts = tuple(modalities), parts_of(method)
    for part in (method, *parts.values()):
        _check_numbers(part)
        _check_alone(
            part, f"The method {_within(method, part)} cannot work in the setting {setting}", setting, modalities
        )
    changing = [name for name, part in parts.items() if changes_gradients(part)]
    if changing and not changes_gradients(method):
        raise SettingError(
            f"The method {method.name()} leaves out the backward pass of its parts.",
            got=f"a backward of its own in {', '.join(changing)}, none in {method.name()}",
            expected=f"{type(method).__name__}.backward, which calls theirs",
            remedy=f"Define backward(self, terms, seen, net), and call self.{changing[0]}.backward in it.",
        )


def _check_alone(method: Method, what: str, setting: Setting, modalities: tuple[str, ...]) -> None:
    if not set(method.target_use) <= _MOMENTS.keys():
        raise SettingError(
            f"{what}.",
            got=f"target_use = {method.target_use!r}",
            expected=f"a set of some of {', '.join(map(repr, _MOMENTS))}",
            remedy="Write for example target_use = {'training'}.",
        )
    if method.target_needed and not target_moments(method, setting):
        raise SettingError(
            f"{what}.",
            got=f"target clips visible: {setting.target_visible}",
            expected=" or ".join(_MOMENTS[moment] for moment in sorted(method.target_use)),
            remedy="Use a setting of another family, or a method that needs no target clips.",
        )
    if len(modalities) < method.min_modalities:
        raise SettingError(
            f"{what} with {len(modalities)} {'modality' if len(modalities) == 1 else 'modalities'}.",
            got=", ".join(modalities),
            expected=f"{method.min_modalities} modalities or more",
            remedy="Add one with --modalities, or choose another method.",
        )
    if len(setting.sources) < method.min_sources:
        raise SettingError(
            f"{what} with {len(setting.sources)} {'source' if len(setting.sources) == 1 else 'sources'}.",
            got="+".join(setting.sources),
            expected=f"{method.min_sources} sources or more",
            remedy="Use a setting with more of them, such as dgn:D1+D2:D3, or choose another method.",
        )
    if "test" in target_moments(method, setting) and not inspect.isgeneratorfunction(type(method).adapt):
        raise SettingError(
            f"{what}.",
            got="an adapt that does not yield",
            expected="one that yields when the net is ready for the batch that it took last",
            remedy="Write yield at the end of its loop over the batches of the target.",
        )


def _check_numbers(method: Method) -> None:
    """Refuse an option that is infinite or not a number, where that is not what it is by default."""
    values = {field: getattr(method, field.name) for field in fields(method)}
    for field, value in values.items():
        if isinstance(value, float) and not isfinite(value) and repr(value) != repr(_default(field)):
            raise SettingError(
                f"The method {method.name()} cannot use this {field.name}.",
                got=f"{value:g}",
                expected="a finite number",
                remedy=f"Correct {field.name}.",
            )


def _within(method: Method, part: Method) -> str:
    return method.name() if part is method else f"{part.name()} in {method.name()}"


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


def _changed_options(method: Method, usual: Method | None = None) -> Iterator[tuple[str, Any]]:
    """The options, in the order of the fields, that are not as in `usual`, or by default; those of a part as `part.option`."""
    for field in fields(method):
        value = getattr(method, field.name)
        default = _default(field) if usual is None else getattr(usual, field.name)
        if isinstance(value, Method) and type(value) is type(default):
            yield from ((f"{field.name}.{name}", x) for name, x in _changed_options(value, default))
        elif value != default:
            yield field.name, value


def _default(field: Field) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


_MOMENTS = {
    "training": "unlabelled target clips in training",
    "after": "unlabelled target clips when training has ended (the family uda)",
    "test": "unlabelled target clips at test",
}


def methods() -> dict[str, type[Method]]:
    """Every method that can be used, by name: those in this folder, and all that a user's program has defined so far.

    Raises:
        SettingError: when two classes have one name.
    """
    _import_ours()
    known: dict[str, type[Method]] = {}
    for found in _subclasses(Method):
        other = known.get(found.name(), found)
        # a class that its module has defined anew, as a notebook does, takes the place of the older one
        if (other.__module__, other.__qualname__) != (found.__module__, found.__qualname__):
            raise SettingError(
                f"Two methods are called {found.name()}.",
                got=" and ".join(f"{one.__module__}.{one.__qualname__}" for one in (other, found)),
                expected="one class of each name",
                remedy="Rename one of them.",
            )
        known[found.name()] = found
    return known


def find_method(name: str) -> type[Method]:
    """The class of a method by its name; a module that is named is imported, from the current folder too.

    Raises:
        SettingError: for a name of no method, a module that cannot be imported, and a class that cannot be a method.
    """
    known = methods()
    alike = [] if name in known else [found for found in known.values() if in_kebab_case(found) == name]
    if len(alike) == 1:  # as runs of a user's methods were called before paths named them
        return alike[0]
    ours, _, rest = name.partition(":")
    if ours in known and rest:
        raise SettingError(
            f"{name} cannot be read.", got=rest, expected="option=value", remedy=f"Write for example {ours}:weight=0.5."
        )
    found = known[name] if name in known else find_class(name, known, Method, "method")
    _check_class(found, name)
    return found


def parse_method(text: str) -> Method:
    """The method that a text such as `rna`, `rna:weight=0.5` or `package.module:Class:option=value` names.

    An option of a composition's part is written `part.option=value`.

    Raises:
        SettingError: as `find_method`, and for options that the method does not have, or does not take such a value of.
    """
    name, texts = split_choice(text)
    found = find_method(name)
    try:
        return make(found, _read(found, texts, name), name)
    except EgonormError:
        raise
    except Exception as error:  # whatever a user's own check of the values raises
        raise SettingError(
            f"The method {text} cannot be made.",
            got=f"{type(error).__name__}: {error}",
            expected=f"values that {found.__name__} accepts",
            remedy="Correct the options.",
        ) from error


def given_options(text: str) -> frozenset[str]:
    """The fields of the method that a text for `parse_method` gives a value to."""
    return frozenset(key.partition(".")[0] for key in split_choice(text)[1])


def split_methods(text: str) -> list[str]:
    """The methods of a list with commas between them; commas within brackets belong to a value."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


@cache
@cache
def _import_ours() -> None:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")


def _read(found: type[Method], texts: Mapping[str, str], name: str) -> dict[str, object]:
    """The options' values, those of a part as that part with them."""
    own = {key: value for key, value in texts.items() if "." not in key}
    values = read_options(found, own, name)
    for part in dict.fromkeys(key.partition(".")[0] for key in texts if "." in key):
        usual = _usual_part(found, part)
        if usual is None:
            key = next(key for key in texts if key.startswith(f"{part}."))
            held = [field.name for field in fields(found) if _usual_part(found, field.name) is not None]
            raise SettingError(
                f"{name} has no part {part}.",
                got=f"{key}={texts[key]}",
                expected=", ".join([*(options_of(found) or ()), *(f"{one}.OPTION" for one in held)]) or "no options",
                remedy="Leave it out, or write one of these.",
            )
        deeper = {key.partition(".")[2]: value for key, value in texts.items() if key.startswith(f"{part}.")}
        values[part] = replace(usual, **_read(type(usual), deeper, f"{name}:{part}"))
    return values


def _usual_part(found: type[Method], part: str) -> Method | None:
    """The method that a composition holds in a field by default."""
    for field in fields(found):
        if field.name == part:
            usual = field.default if field.default_factory is MISSING else field.default_factory()
            return usual if isinstance(usual, Method) else None
    return None


def _subclasses(of: type[Method]) -> Iterator[type[Method]]:
    """Those of any depth that are no mere base of others."""
    for found in of.__subclasses__():
        if not inspect.isabstract(found):
            yield found
        yield from _subclasses(found)


def _check_class(found: type[Method], name: str) -> None:
    """Refuse a class that cannot be a method as it is."""
    if found is Method or inspect.isabstract(found):
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ()))) or "all that a method does"
        raise SettingError(
            f"{name} is no method that can be used.",
            got=f"a base class without {missing}",
            expected="a class that defines it",
            remedy="Name a class that inherits this one.",
        )
    if "__dataclass_fields__" not in vars(found) and inspect.get_annotations(found):
        raise SettingError(
            f"{name} is no method that can be used.",
            got="a class that is no dataclass",
            expected="a frozen dataclass, whose fields are its options",
            remedy=f"Write @dataclass(frozen=True) above class {found.__name__}.",
        )
    taken = [field.name for field in fields(found) if hasattr(Method, field.name)]
    if taken:
        raise SettingError(
            f"{name} is no method that can be used.",
            got=f"an option called {', '.join(taken)}",
            expected="options with names of their own",
            remedy="Write it without a type if it is what every method has (min_sources = 2), else rename it.",
        )
