"""How the command line names one method: a subcommand with the method's options, or `name:option=value` in one word."""

import inspect
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import fields
from typing import Annotated, Any

import tyro

from egonorm.core.by_path import split_choice
from egonorm.methods import Method, find_method, methods, parse_method
from egonorm.methods.base import parts_of

Chosen = Method | type[Method]
"""A method with options, or one whose options are still to come."""


def parsed(text: str) -> Chosen:
    """What a word such as `rna:weight=0.5` or `package.module:Class` names. SettingError as `parse_method`."""
    name, options = split_choice(text)
    return parse_method(text) if options else find_method(name)


def subcommands(text: str | None = None, chosen: Chosen | None = None):
    """A subcommand for each method that is known, and one that is called like the word that named the chosen one."""
    found: dict[str, Chosen] = dict(sorted(methods().items()))
    if text is not None and chosen is not None:
        found[text] = chosen
    union: Any = Annotated[
        None, tyro.conf.subcommand("none", description="No method: with --resume, which knows its own.")
    ]
    for name, method in reversed(found.items()):
        union = _subcommand(name, method) | union
    return union


def first_positional(words: Sequence[str], flags: Container[str]) -> str | None:
    """The first word that is neither an option nor an option's value; `flags` are the options without one."""
    is_value = False
    for word in words:
        if not is_value and not word.startswith("-"):
            return word
        is_value = not is_value and word.startswith("--") and "=" not in word and word not in flags
    return None


def _subcommand(name: str, chosen: Chosen):
    kind: Any = chosen if isinstance(chosen, type) else type(chosen)
    about = (inspect.getdoc(kind) or name).splitlines()[0]
    usual: dict[str, Any] = {} if chosen is kind else {"default": chosen}
    described = tyro.conf.subcommand(name, description=about, **usual)
    options = Counter(_options(chosen))
    # as options of its own where that is clear, else as --part.option
    plain = kind if max(options.values(), default=1) > 1 else tyro.conf.OmitArgPrefixes[kind]  # type: ignore[misc]  # tyro makes a class of one
    return Annotated[plain, described]


def _options(chosen: Chosen) -> list[str]:
    """The names of a method's options, and of those of its parts."""
    try:
        method = chosen() if isinstance(chosen, type) else chosen
    except Exception:  # it has options that must be given, or whatever a user's own check of the values raises
        return [field.name for field in fields(chosen)]
    every = (method, *parts_of(method).values())
    return [f.name for one in every for f in fields(one) if not isinstance(getattr(one, f.name), Method)]
