"""Create packages that download the files of a folder from a server: ``served_packages.py FOLDER URL``.

There is one for each file, and a package `served` that depends on all of them.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from ck_repo.store.repositories import Repositories
from ck_repo.store.writing import create_entry


def main() -> None:
    local = Repositories().writable()
    names = []
    for path in sorted(Path(sys.argv[1]).iterdir()):
        source = {
            "url": f"{sys.argv[2]}/{path.name}", "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }  # fmt: skip
        name = f"served-{path.stem}"
        create_entry(local, "package", name, {"tags": [name], "file": path.name, "install": [{"download": source}]})
        names.append(name)
    needs = {name: {"tags": [name]} for name in names}
    create_entry(local, "package", "served", {"tags": ["served"], "deps": needs, "install": []})


if __name__ == "__main__":
    main()
