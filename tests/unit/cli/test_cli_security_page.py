"""docs/security.md names existing tests and the limits in the code."""

from __future__ import annotations

import re
from pathlib import Path

from ck_repo.install import http_request, retry
from ck_repo.models import pickled, torch_file
from ck_repo.rounds.submission import SMALL
from ck_repo.store import atomic, entry, plain_file, unpack, yaml_text

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_promise_names_an_existing_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "tests/" in line]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row)
        assert named, row
        assert all((ROOT / name).is_file() for name in named), row


def test_documented_limits_match_code() -> None:
    mib = 1 << 20
    assert (64 * mib, 100, 4 * mib) == (plain_file.MAXIMUM, entry._DEEPEST, SMALL)
    assert (100, 256 * mib, 10**6, 64 * mib) == (unpack.LARGEST_RATIO, unpack.LARGEST_SMALL, unpack.MAX_MEMBERS, atomic.SPARE)
    assert (plain_file._DEEPEST, plain_file._LONGEST) == (64, 1024)
    assert (mib, 100_000) == (yaml_text._LONGEST, yaml_text._MAX_VALUES)
    assert (3_000_000, 256 * mib, 100_000) == (pickled._MAX_STEPS, pickled._MAX_BYTES, torch_file._MAX_WEIGHTS)
    assert (16 * mib, 120) == (http_request.LARGEST_JSON, retry.LONGEST_WAIT)
