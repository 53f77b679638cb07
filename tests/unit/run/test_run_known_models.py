"""Models by name; an unreadable package does not hide the others."""

from __future__ import annotations

from pathlib import Path

from ck_repo.run.known_models import known_models
from ck_repo.session import Session
from ck_repo.store.writing import create_entry


def test_package_with_corrupt_tags_is_skipped(ck_home: Path) -> None:
    session = Session()
    create_entry(session.repositories.writable(), "package", "damaged", {"tags": {"a": 1}, "model": {"format": "onnx"}})
    found = [row.name for row in known_models(session)]
    assert "model-demo-ssd" in found
    assert "damaged" not in found
