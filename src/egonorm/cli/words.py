"""How the help calls an option's value."""

import tyro


def named(metavar: str):
    """An annotation: the help shows `metavar` where the value stands."""
    return tyro.conf.arg(metavar=metavar)
