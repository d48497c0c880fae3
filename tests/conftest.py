"""What several tests share: the smoke profile with a temporary runs folder and cache, and the environment left as it was."""

import pytest

from rational_utils import rationales
from rational_utils.study import settings


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.delenv("RATIONAL_PROFILE", raising=False)
    monkeypatch.setenv("RATIONAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("RATIONAL_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def study(folders):
    return settings.load("smoke")


@pytest.fixture
def limits(study):
    return study.profile.rationales.model_copy(update={"tries": 3, "checks": tuple(rationales.CHECKS)})
