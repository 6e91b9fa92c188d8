"""What several tests of data sets need: a tiny kitchen, rendered once by two processes, with its pictures and sound only."""

from pathlib import Path

import pytest

from egonorm.data.sets.synthetic import KitchensConfig, render_kitchens


@pytest.fixture(scope="session")
def tiny_kitchen(tmp_path_factory) -> Path:
    """One kitchen of three videos, which no test changes."""
    root, heard = tmp_path_factory.mktemp("kitchens") / "two", []
    config = KitchensConfig(clips=24, kitchens=1, seed=3, size=(32, 48))
    path = render_kitchens(root, config, workers=2, progress=lambda done, of: heard.append((done, of)))
    assert path == root / "manifest.csv"
    assert heard == [(done, 3) for done in range(4)]
    return root
