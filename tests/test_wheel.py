"""A wheel, installed outside the checkout, holds all of the package, begins the demo, trains and tabulates."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy
import pytest

import egonorm

ROOT, PACKAGE = Path(__file__).parents[1], Path(egonorm.__file__).parent
LIMIT = 600
"""Seconds until the demo must have rendered three videos; an idle machine of two cores takes 15."""

SMALL = (
    *("--setting", "dg1:D1:D2", "--preset", "demo", "--width", "0.0625", "--steps", "2", "--batch", "4"),
    *("--workers", "0", "--device", "cpu", "--out", "runs"),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="the package hatchling is not installed")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


@pytest.mark.slow
def test_every_file_of_the_package_is_in_the_wheel(wheel):
    files = {str(path.relative_to(PACKAGE.parent)) for path in PACKAGE.rglob("*") if path.is_file()}
    expected = {name for name in files if "__pycache__" not in name}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("egonorm-")}
    assert found == expected
    assert {"egonorm/py.typed", "egonorm/sweeps/paper.csv", "egonorm/report/page/templates/page.html"} <= found


@pytest.mark.slow
@pytest.mark.timeout(LIMIT + 200)
def test_an_installed_wheel_begins_the_demo_and_trains(wheel, kitchens, tmp_path):
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
    install = [place / "bin" / "python", "-m", "pip", "install", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, capture_output=True)
    (packages,) = place.glob("lib/python*/site-packages")
    # what egonorm needs is taken from here; its own path files do not count there, so the package is the wheel's
    (packages / "here.pth").write_text(f"{Path(numpy.__file__).parents[1]}\n")
    surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    where = [place / "bin" / "python", "-c", "import egonorm; print(egonorm.__file__)"]
    done = subprocess.run(where, cwd=tmp_path, env=surroundings, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()).is_relative_to(packages)
    said, program = tmp_path / "said.txt", place / "bin" / "egonorm"
    with said.open("w") as file:
        demo = subprocess.Popen(
            [program, "demo"],
            cwd=tmp_path,
            env=surroundings,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    stop = time.monotonic() + LIMIT
    try:
        while len(list((tmp_path / "demo" / "kitchens").glob("D*/*.mp4"))) < 3:
            assert demo.poll() is None and time.monotonic() < stop, said.read_text()
            time.sleep(0.5)
    finally:
        os.killpg(demo.pid, signal.SIGKILL)
        demo.wait()
    train = [program, "train", "--data", f"kitchens:{kitchens}", *SMALL, "rna"]
    subprocess.run(train, cwd=tmp_path, env=surroundings, check=True, capture_output=True)
    table = subprocess.run(
        [program, "table", "runs"], cwd=tmp_path, env=surroundings, check=True, capture_output=True, text=True
    )
    assert table.stdout.count("dg1:D1:D2") == 2
