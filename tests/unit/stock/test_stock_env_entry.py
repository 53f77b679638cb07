"""Components registered or installed here can be used by stock CK in the same store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ck_repo.machine.register import detect, register
from ck_repo.session import Session
from ck_repo.stock.environment import is_stock_env
from ck_repo.store.entry import Entry
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find, load


def _registered(soft: str, path: Path, **options: str) -> Entry:
    repositories = Repositories()
    return register(Session(repositories), detect(load(repositories, "soft", soft), path, options), [])


def test_script_sets_variables_named_in_meta(ck_home: Path) -> None:
    entry = _registered("compiler.python", Path(sys.executable))
    meta = entry.meta()
    script = entry.path / meta["env_script"]
    command = [shutil.which("sh") or "sh", "-c", f". '{script}' && env"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}).stdout
    found = dict(line.partition("=")[::2] for line in output.splitlines())
    assert meta["env"]["CK_ENV_COMPILER_PYTHON_FILE"] == sys.executable
    assert {name: found[name] for name in meta["env"]} == meta["env"]
    assert found["PATH"].split(":") == [str(Path(sys.executable).parent), "/usr/bin", "/bin"]


def test_stock_keys_name_file_and_version(ck_home: Path) -> None:
    meta = _registered("compiler.python", Path(sys.executable)).meta()
    version = ".".join(map(str, sys.version_info[:3]))
    assert meta["customize"] == {"full_path": sys.executable, "version": version}


def test_entry_with_stock_keys_is_still_ours(ck_home: Path) -> None:
    entry = _registered("compiler.python", Path(sys.executable))
    assert not is_stock_env(entry.meta())
    assert [row.uid for row in find(Repositories(), "env", tags="compiler,python")] == [entry.uid]
