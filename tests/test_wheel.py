"""A wheel, installed outside the checkout, holds all of the package and runs the demo's first minute."""

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
MINUTE = 60
"""Seconds; an idle machine of two cores trains after 40."""


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
def test_an_installed_wheel_runs_the_first_minute_of_the_demo(wheel, tmp_path):
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
    said = tmp_path / "said.txt"
    with said.open("w") as file:
        demo = subprocess.Popen(
            [place / "bin" / "egonorm", "demo"],
            cwd=tmp_path,
            env=surroundings,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    logs = tmp_path / "demo" / "runs"
    stop = time.monotonic() + MINUTE
    try:
        while time.monotonic() < stop and not any(path.stat().st_size for path in logs.glob("*/train.jsonl")):
            assert demo.poll() is None, said.read_text()
            time.sleep(0.5)
    finally:
        os.killpg(demo.pid, signal.SIGKILL)
        demo.wait()
    assert len(list((tmp_path / "demo" / "kitchens").glob("D*/*.mp4"))) > 4
