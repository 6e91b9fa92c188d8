"""What methods are called in figures and tables: as in the paper, if they are in it."""

from functools import cache

from egonorm.bench.paper import suites


def label_of(method: str) -> str:
    """A method's name for people."""
    return _papers_names().get(method, method)


@cache
def _papers_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for part in suites(("rgb", "audio"))["paper.all"]:
        for system in part.systems:
            names.setdefault(system.method.name(), system.name)
    return names
