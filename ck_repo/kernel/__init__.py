"""Stock CK's Python interface: dictionaries in, dictionaries out.

A notebook that says ``import ck.kernel as ck`` works with ``import ck_repo.kernel as ck``, or with ``import ck_repo as ck``.
`ck_repo.api` is the typed interface for new code.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ck_repo import __version__ as __version__
from ck_repo.kernel.access import access
from ck_repo.kernel.console import err, inp, jerr, out
from ck_repo.kernel.files import (
    gen_tmp_file,
    list_all_files,
    load_json_file,
    load_text_file,
    load_yaml_file,
    save_json_to_file,
    save_text_file,
    save_yaml_to_file,
)
from ck_repo.kernel.values import gen_uid, get_from_dicts, is_uid, is_uoa, merge_dicts, parse_cid, set_by_flat_key

__all__ = [
    "access", "err", "gen_tmp_file", "gen_uid", "get_from_dicts", "inp", "is_uid", "is_uoa", "jerr", "list_all_files",
    "load_json_file", "load_text_file", "load_yaml_file", "merge_dicts", "out", "parse_cid", "save_json_to_file",
    "save_text_file", "save_yaml_to_file", "set_by_flat_key",
]  # fmt: skip

# functions of stock CK's kernel that are actions on entries
_ACTIONS = (
    "add", "cid", "cp", "find", "info", "list_files", "list_tags", "load", "ls", "mv", "ren", "rm", "search", "uid", "update",
    "version",
)  # fmt: skip
# names of stock CK's kernel that are not supported, with alternatives
_ABSENT = {
    "cfg": "stock CK's configuration is not read; the file names are .ckr.json, .cm/meta.json and .cm/info.json",
    "work": "the environment variables CK_REPOS and CK_TOOLS have the folders",
    "get_api": "`ck help MODULE` and `ck ACTION MODULE --help` describe the actions",
    "load_module_from_path": "Python code of a repository's module/ entries is not run",
    "load_repo_info_from_cache": "access({'action': 'find', 'module_uoa': 'repo', 'data_uoa': NAME}) gives a repository",
    "check_writing": "access returns an error where writing is refused",
    "select_uoa": "choose from the list that access returns",
    "get_os_ck": "ck_repo.access({'action': 'detect', 'module_uoa': 'platform.os'}) describes the operating system",
    "system_with_timeout": "subprocess.run(COMMAND, timeout=SECONDS) does this",
    "run_and_get_stdout": "subprocess.run(COMMAND, capture_output=True) does this",
}


def __getattr__(name: str) -> Any:
    if name in _ACTIONS:
        return partial(_act, name)
    reason = _ABSENT.get(name, "ck_repo.access takes stock's dictionaries, and ck_repo.api is the typed interface")
    raise AttributeError(f"ck_repo does not support {name!r} of stock CK's kernel: {reason}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ACTIONS})


def _act(action: str, i: dict[str, Any]) -> dict[str, Any]:
    """An action that is also a function of stock CK's kernel."""
    return access({**i, "action": action})
