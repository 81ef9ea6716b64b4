"""The same scenarios through the older SDK, 1.0.0, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDER = ROOT / ".sdk"
WANTED = "JOBROUTER_TEST_SDK"
"""Names, in the environment of that process, the version that it must have."""
UNWARNED = ("-W", "ignore::SyntaxWarning", "-W", "ignore::DeprecationWarning")
"""Its sources have escapes that Python warns of when it compiles them."""


@pytest.mark.skipif(WANTED in os.environ, reason="this is that process")
def test_older_version() -> None:
    if not (OLDER / "azure").exists():
        assert "CI" not in os.environ, f"{OLDER} is missing: make setup"
        pytest.skip(f"{OLDER} is missing: make setup")
    scenarios = [str(path) for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *UNWARNED, *scenarios],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(OLDER), WANTED: "1.0.0"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
