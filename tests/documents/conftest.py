"""Small things that stand for what a reader of the documents has: clips, runs, features."""

import csv
import shutil
import sys
from pathlib import Path

import pytest
from blocks import blocks
from running import LYING, run


@pytest.fixture(scope="session", autouse=True)
def my_methods(tmp_path_factory) -> None:
    """The module whose code CONTRIBUTING.md shows, where its commands find it."""
    folder, document = tmp_path_factory.mktemp("my_methods"), "CONTRIBUTING.md"
    parts = [block.text for block in blocks(document) if block.language == "python"]
    (folder / "my_methods.py").write_text("\n".join(parts))
    sys.path.append(str(folder))


@pytest.fixture
def lay(request, tmp_path, monkeypatch):
    """Go to a new folder in which the blocks of a language in a document find what they name."""

    def laid(document: str, language: str) -> Path:
        for name, fixture in LYING.get((document, language), {}).items():
            shutil.copytree(request.getfixturevalue(fixture), tmp_path / name)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return laid


@pytest.fixture(scope="session")
def own_clips(kitchens, tmp_path_factory) -> Path:
    """Videos and a manifest, in two places: home and office."""
    root, places = tmp_path_factory.mktemp("own"), {"D1": "home", "D2": "office"}
    for domain in places:
        shutil.copytree(kitchens / domain, root / domain)
    with (kitchens / "manifest.csv").open() as file:
        rows = [row | {"domain": places[row["domain"]]} for row in csv.DictReader(file) if row["domain"] in places]
    with (root / "manifest.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return root


@pytest.fixture(scope="session")
def small_runs(kitchens, tmp_path_factory) -> Path:
    """A run of Source Only and one of RNA-Net, from D1 to D2."""
    out = tmp_path_factory.mktemp("runs")
    for method in ("source-only", "rna"):
        run(f"egonorm train --data kitchens:{kitchens} --setting dg1:D1:D2 --preset demo --out {out} {method}")
    return out


@pytest.fixture(scope="session")
def rna_run(small_runs) -> Path:
    """The run of RNA-Net."""
    return next(small_runs.glob("rna-*"))


@pytest.fixture(scope="session")
def small_features(rna_run, kitchens, tmp_path_factory) -> Path:
    """Features of the kitchens by that run's encoders."""
    out = tmp_path_factory.mktemp("features")
    run(f"egonorm extract {rna_run} --data kitchens:{kitchens} --out {out}")
    return out
