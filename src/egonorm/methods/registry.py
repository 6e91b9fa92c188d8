"""Methods by name: those of this folder, and a user's own by `package.module:Class`, with options as in `rna:weight=0.5`."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, replace
from functools import cache
from pathlib import Path

from egonorm.core import EgonormError, SettingError
from egonorm.core.by_path import find_class, make, options_of, read_options, split_choice
from egonorm.methods.base import Method, in_kebab_case


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
    alike = [found for found in known.values() if in_kebab_case(found) == name]
    if name not in known and len(alike) == 1:  # as runs of a user's methods were called before paths named them
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
