"""Shared by tests of pictures: a cache of one test alone, and a small set with a camera."""

from pathlib import Path

import pytest
import sets


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Where frame stores of this test lie."""
    monkeypatch.setenv("STEADYHAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def film(tmp_path) -> Path:
    """A LeRobot set with one camera."""
    return sets.lerobot_v2(tmp_path / "set")
