"""Digests from the publisher of a file: Zenodo's records have one for each file."""

from __future__ import annotations

import re
from dataclasses import replace

from ck_repo.errors import DownloadError
from ck_repo.install.http_request import get_json
from ck_repo.install.source import Source, with_local_mirrors, zenodo_file


def pin(source: Source) -> Source:
    """The source with a digest: its own, or that of Zenodo's record; without one, the file is not downloaded."""
    if source.pinned:
        return source
    place = zenodo_file(source)
    if place is None:
        raise DownloadError(
            f"{source.urls[0]} has no digest, and its publisher provides none",
            hint="add its sha256 to the recipe: files that cannot be verified are not used",
        )
    record, name = place
    rows = _zenodo_record(record)
    for row in rows:
        if row.get("key") == name or row.get("filename") == name:
            algorithm, _, value = str(row.get("checksum", "")).partition(":")
            if algorithm == "md5" and re.fullmatch("[0-9a-f]{32}", value):
                size = int(str(row.get("size") or row.get("filesize") or 0))
                return replace(source, md5=value, size=source.size or size or None)
    raise DownloadError(f"Zenodo's record {record} has no file {name!r} with a checksum", hint="add its sha256 to the recipe")


def _zenodo_record(record: str) -> list[dict[str, object]]:
    answer = get_json(with_local_mirrors(Source((f"https://zenodo.org/api/records/{record}",))).urls)
    files = answer.get("files") if isinstance(answer, dict) else None
    if not isinstance(files, list):
        raise DownloadError(f"Zenodo's record {record} does not have the expected form: it lists no files")
    return [row for row in files if isinstance(row, dict)]
