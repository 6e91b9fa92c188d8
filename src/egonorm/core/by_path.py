"""Classes that a user names: `name:key=value:key=value`, where the name is one of ours or `package.module:Class`."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from egonorm.core.errors import SettingError

_OPTION = re.compile(r":(?=[A-Za-z_][\w.]*=)")


def split_choice(text: str) -> tuple[str, dict[str, str]]:
    """The name and the options of `name:key=value:key=value`; a value may hold colons. SettingError for an option given twice."""
    name, *pairs = _OPTION.split(text)
    keys = [pair.partition("=")[0] for pair in pairs]
    if len(set(keys)) != len(keys):
        raise SettingError(
            f"{text} cannot be read.",
            got=", ".join(keys),
            expected="each option once",
            remedy="Leave out what is repeated.",
        )
    return name, {key: pair.partition("=")[2] for key, pair in zip(keys, pairs, strict=True)}


def write_choice(name: str, values: Mapping[str, Any]) -> str:
    """The `name:key=value:key=value` that `split_choice` and `read_options` read back."""
    return ":".join([name, *(f"{key}={_as_text(value)}" for key, value in values.items())])


def find_class(name: str, known: Mapping[str, type], kind: type, noun: str) -> type:
    """The class that is known by this name, or the one at `package.module:Class`. SettingError, also from `import_class`."""
    if ":" in name:
        return import_class(name, kind, noun)
    if name not in known:
        raise SettingError(
            f"There is no {noun} {name!r}.",
            got=name,
            expected=", ".join([*known, "package.module:Class"]),
            remedy="Choose one of these.",
        )
    return known[name]


def import_class(path: str, kind: type, noun: str) -> type:
    """The class at `package.module:Class`; modules of the current folder are found too.

    Args:
        kind: what it has to be a subclass of.
        noun: what it is to be used as, for the error: "method", "encoder".

    Raises:
        SettingError: for a module that cannot be imported, one without this class, and a class of another kind.
    """
    module_name, _, class_name = path.partition(":")
    if not module_name or not class_name.isidentifier():
        raise SettingError(
            f"{path} names no class.",
            got=path,
            expected="package.module:Class",
            remedy="Write the module, a colon and the class.",
        )
    found = getattr(_imported(module_name, path), class_name, None)
    if found is None:
        raise SettingError(
            f"{path} names no class.",
            got=f"the module {module_name} without {class_name}",
            expected=f"a module that defines {class_name}",
            remedy="Correct the name of the class.",
        )
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise SettingError(
            f"{path} is no {noun}.",
            got=_described(found),
            expected=f"a subclass of {kind.__module__}.{kind.__qualname__}",
            remedy=f"Let {class_name} inherit {kind.__name__}, or name another class.",
        )
    return found


def path_of(found: type) -> str:
    """The `package.module:Class` by which `import_class` finds a class, also from another program than the one that runs."""
    return f"{_module_of(found)}:{found.__qualname__}"


def options_of(found: type) -> dict[str, inspect.Parameter] | None:
    """What a class's constructor takes by keyword; None when it takes any keyword."""
    parameters = inspect.signature(found).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def takes(found: type, option: str) -> bool:
    """Whether a class's constructor has a parameter of this name; one that takes any keyword has none."""
    return option in inspect.signature(found).parameters


def read_options(found: type, texts: Mapping[str, str], name: str) -> dict[str, Any]:
    """The values of options that were written as texts, read by the constructor's annotations.

    Without an annotation a text that is a Python literal (`3`, `0.5`, `None`, `(1, 2)`) is that value, any other a string;
    `true` and `false` are read as well.

    Args:
        name: what the user called the class, for the error.

    Raises:
        SettingError: for an option that the class does not have, and a value of another type.
    """
    values = {option: _literal(text) for option, text in texts.items()}
    hints = _hints(found)
    values = {o: texts[o] if _only_text(hints.get(o)) else value for o, value in values.items()}
    return check_options(found, values, name)


def check_options(found: type, values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values, whole numbers as floats and lists as tuples where these are asked for. Refuses as `read_options` does."""
    taken, hints = options_of(found), _hints(found)
    unknown = [option for option in values if taken is not None and option not in taken]
    if unknown:
        raise SettingError(
            f"{name} has no option {unknown[0]}.",
            got=f"{unknown[0]}={values[unknown[0]]}",
            expected=", ".join(taken or ()) or "no options",
            remedy="Leave it out, or write name:key=value with one of these.",
        )
    return {option: _fitted(value, hints.get(option, Any), name, option) for option, value in values.items()}


def make(found: type, values: Mapping[str, Any], name: str) -> Any:
    """The class with these options. SettingError for an option that it needs and does not get, and as `check_options` refuses."""
    values = check_options(found, values, name)
    needed = [p.name for p in (options_of(found) or {}).values() if p.default is p.empty]
    missing = [option for option in needed if option not in values]
    if missing:
        raise SettingError(
            f"{name} needs more options.",
            got=", ".join(values) or "none",
            expected=", ".join(needed),
            remedy=f"Write {name}:{missing[0]}=VALUE.",
        )
    return found(**values)


def _imported(module: str, path: str):
    """The module, looked for in the current folder last; the folder stays on the path, which child processes inherit."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's module raises while it is imported
        raise SettingError(
            f"{path} cannot be imported.",
            got=f"{type(error).__name__}: {error}",
            expected=f"a module {module} that can be imported",
            remedy="Run the command in the folder of the module, put that folder on PYTHONPATH, or correct the module.",
        ) from error


def _module_of(found: type) -> str:
    """The module's name as others import it: a program is `__main__` to itself alone, and `__mp_main__` to its processes."""
    if found.__module__ not in ("__main__", "__mp_main__"):
        return found.__module__
    program = sys.modules[found.__module__]
    if (spec := getattr(program, "__spec__", None)) is not None:
        return spec.name
    path = getattr(program, "__file__", None)
    return Path(path).stem if path else found.__module__


def _as_text(value: Any) -> str:
    """A value as `read_options` takes it: text as it is, 2.0 as 2, anything else as Python writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return value if isinstance(value, str) else repr(value)


def _described(found: object) -> str:
    if not isinstance(found, type):
        return f"a {type(found).__name__}"
    return f"a class that inherits {', '.join(base.__name__ for base in found.__bases__)}"


def _literal(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _hints(found: type) -> dict[str, Any]:
    """The types of the constructor's parameters, as far as they can be told."""
    try:
        return get_type_hints(getattr(found, "__init__"))  # noqa: B009 - mypy takes it for a call on an instance
    except (NameError, TypeError):
        return {}


def _only_text(hint: Any) -> bool:
    """Whether an option holds text: `str`, `str | None`, or names to choose from."""
    kinds = _alternatives(hint)
    return bool(kinds) and all(kind is str for kind in kinds)


def _alternatives(hint: Any) -> tuple[type, ...]:
    """The types that a hint allows beside None; of a Literal, those of its values."""
    if get_origin(hint) is Literal:
        return tuple({type(value) for value in get_args(hint)})
    if get_origin(hint) in (Union, UnionType):
        return tuple(kind for part in get_args(hint) if part is not NoneType for kind in _alternatives(part))
    return (hint,)


def _fitted(value: Any, hint: Any, name: str, option: str) -> Any:
    parts = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if isinstance(value, list) and any(get_origin(part) is tuple for part in parts):
        value = tuple(value)
    if not any(_fits(value, part) for part in parts):
        expected = " or ".join(map(repr, get_args(hint))) if get_origin(hint) is Literal else _written(hint)
        raise SettingError(
            f"{name} cannot use this {option}.", got=repr(value), expected=expected, remedy=f"Correct {option}."
        )
    return float(value) if type(value) is int and float in parts and int not in parts else value


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a simple type; of any other hint only the origin (tuple, list, dict) is looked at."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    kind = get_origin(hint) or hint
    if hint is None or kind is NoneType:
        return value is None
    if kind is Any or not isinstance(kind, type):
        return True
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _written(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)
