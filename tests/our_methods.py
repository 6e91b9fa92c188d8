"""The methods of the package, without those that tests define in the same process."""

from egonorm.methods import Method, methods


def our_methods() -> dict[str, type[Method]]:
    """By name."""
    return {name: found for name, found in methods().items() if found.__module__.startswith("egonorm.")}
