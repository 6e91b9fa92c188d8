"""Floor 5: runs, their rows, and tables of them. A name is imported when it is asked for, so that reading needs no training."""

from importlib import import_module

_HOMES = {
    "config": "Run read_run",
    "presets": "configure",
    "results": "Row find_runs read_rows",
    "run": "Options RunContext execute measure",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
