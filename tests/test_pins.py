"""Installing keeps a torch that is there and fits, and else brings the pinned one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PINNED = (ROOT / "constraints.txt").read_text()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, PINNED),
        ("2.12.1", PINNED),
        ("2.13.0+cpu", "torch==2.13.0+cpu\n"),
        ("2.13.0+cu130", "torch==2.13.0+cu130\n"),
        ("2.14.0.dev20260101+cpu", "torch==2.14.0.dev20260101+cpu\n"),
        ("3.0", "torch==3.0\n"),
    ],
)
def test_a_fitting_torch_stays(found, expected, tmp_path):
    if found:
        about = tmp_path / f"torch-{found}.dist-info" / "METADATA"
        about.parent.mkdir()
        about.write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {found}\n")
    command = [sys.executable, "-S", str(ROOT / "tools" / "pins.py")]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert done.stdout == expected
