"""Workers that are started over ssh: a real sshd, and hosts that cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_machines import PATHS, copied_machine, yaml_file
from patience import PATIENCE, until
from sshd import NEEDS, Sshd, running_sshd
from toy_benchmark import made_runs, toy_benchmark

from ck_repo import __version__
from ck_repo.campaign.cluster import ClusterError, started
from ck_repo.campaign.messages import HostAbout
from ck_repo.campaign.ssh import Link, ssh_command
from ck_repo.campaign.ssh_hosts import Host, read_hosts
from ck_repo.child import conversation, exit_status
from ck_repo.child_environment import child_environment
from ck_repo.contract.record import write
from ck_repo.errors import ConfigError
from ck_repo.store.repositories import Repositories
from ck_repo.store.search import find

pytestmark = pytest.mark.slow
SWEEP = ("sweep", "program:toy-bench", "--out=json", "--trust", "--over.batch_size=1,4")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"host": ["a"]}, "host is not a known key"),
        ({"hosts": [{"host": "a", "pyton": "p"}]}, r"hosts\[0\].pyton is not a known key"),
        ({"hosts": []}, "hosts is .*not a list of hosts"),
        ({"hosts": ["-oProxyCommand=x"]}, r"hosts\[0\].host is .*not the name of a host"),
        ({"hosts": [{"host": "a", "user": "-x"}]}, r"hosts\[0\].user"),
        ({"hosts": ["a"], "port": 70000}, "not a port"),
        ({"hosts": ["a", "me@a"]}, "a is listed twice"),
        ({"hosts": [{"host": "a", "environment": {"A B": "x"}}]}, r"environment.A B"),
        (["a"], "not an object"),
    ],
)
def test_invalid_host_files_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_hosts(yaml_file(tmp_path / "hosts.yaml", content))


def test_host_has_settings_of_all_hosts(tmp_path: Path) -> None:
    found = read_hosts(yaml_file(tmp_path / "h.yaml", {"python": "/p", "hosts": ["me@a", {"host": "b", "python": "/q"}]}))
    assert found.hosts == (Host("a", python="/p", user="me"), Host("b", python="/q"))


def test_ssh_command_never_prompts_and_refuses_unknown_keys() -> None:
    words = ssh_command(Host("board", python="~/my ck/python", port=2222), "known")
    for setting in ("BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=known"):
        assert setting in words
    assert words[-2] == "board"
    assert "\"$HOME\"/'my ck/python' -c " in words[-1]
    home = subprocess.run(
        ["sh", "-c", words[-1].replace(" -c ", " ; echo ")], env={"HOME": "/h"}, capture_output=True, text=True
    )
    assert "/h/my ck/python" in home.stderr


def test_host_whose_connection_ended_before_its_order_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, about = tmp_path / "log", HostAbout(__version__)
    with (
        log.open("wb") as errors,
        conversation(["true"], child_environment(), errors) as ended,
        conversation(["cat"], child_environment(), errors) as waits,
    ):
        until(lambda: exit_status(ended) is not None)
        links = [Link(Host("ended"), ended, log, about), Link(Host("waits"), waits, log, about)]
        kept = started(links, {"ended": "tls://127.0.0.1:1", "waits": "tls://127.0.0.1:1"}, {})
        assert [link.name for link in kept] == ["waits"]
        assert "ended is skipped: its worker ended" in capsys.readouterr().err
        with pytest.raises(ClusterError, match="no host can be used"):
            started(links[:1], {"ended": "tls://127.0.0.1:1"}, {})


@pytest.fixture
def server(ck: Callable[..., Any], ck_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    for name in ("_CONNECT", "_ANSWER"):
        monkeypatch.setattr(f"ck_repo.campaign.ssh.{name}", PATIENCE)  # a slow machine is no host that does not answer
    toy_benchmark()
    assert ck("create", "cluster").code == 0
    with running_sshd(ck_home / "sshd") as found:
        yield found


def host_of(home: Path, name: str) -> dict[str, Any]:
    """A host with repositories of its own."""
    variables = copied_machine(home / name, name)
    return {
        "name": name,
        "python": sys.executable,
        "repos": variables.pop("CK_REPOS"),
        "tools": variables.pop("CK_TOOLS"),
        "environment": {**variables, "PYTHONPATH": PATHS, **{k: v for k, v in os.environ.items() if k.startswith("TOY_")}},
    }


@NEEDS
def test_usable_hosts_make_runs_and_others_are_named(
    ck: Callable[..., Any], log: Path, server: Sshd, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ck_home / "old-python"
    old.write_text('#!/bin/sh\necho "ck: Python 3.8" >&2\nexit 1\n')
    old.chmod(0o755)
    ends = ck_home / "ends"  # it says what it is, and then its connection ends
    about = HostAbout(__version__, pytest.importorskip("distributed").__version__, "127.0.0.1", "127.0.0.1")
    ends.write_text(f"#!/bin/sh\necho '{json.dumps(write(about))}'\n")
    ends.chmod(0o755)
    doomed = ck_home / "doomed"
    doomed.touch()
    monkeypatch.setenv("TOY_KILLS", str(doomed))  # the first run takes the worker with it
    good = host_of(ck_home, "one")
    hosts = server.hosts(
        good,
        {**good, "name": "closed", "port": 1},
        {**good, "name": "stranger", "user": "nobody-of-that-name"},
        {**good, "name": "unknown-key", "host": "127.0.0.3"},
        {**good, "name": "nowhere", "host": "no-such-host.invalid"},
        {**good, "name": "without", "python": "/no/such/python"},
        {**good, "name": "old", "python": str(old)},
        {**good, "name": "ends", "python": str(ends)},
        {**good, "name": "without-ck", "python": sys.executable, "environment": {"PYTHONPATH": str(_hiding(ck_home))}},
    )
    done = ck(*SWEEP, f"--cluster=ssh:{yaml_file(ck_home / 'hosts.yaml', hosts)}")
    assert done.code == 0, done.err
    assert (done.json["made"], done.json["left"]) == (2, 0)
    assert {row["machine"] for row in done.json["rows"]} == {"one"}
    there = {path.name for path in (ck_home / "one/CK/local/experiment").glob("[0-9a-f]*")}
    assert {entry.uid for entry in find(Repositories(), "experiment")} == there
    assert len(made_runs(log)) == 3
    assert "one was lost in a run of" in done.err
    assert "closed is skipped: it cannot be reached" in done.err
    assert "stranger is skipped: it refuses the user or the key" in done.err
    assert "unknown-key is skipped: " in done.err
    assert "nowhere is skipped: there is no host of that name" in done.err
    assert "without is skipped: /no/such/python does not exist" in done.err
    assert "old is skipped: " in done.err
    assert "is Python 3.8 there, and ck needs 3.10 or later" in done.err
    assert "without-ck is skipped: " in done.err
    assert "ends is skipped: its worker ended" in done.err
    until(lambda: not list((ck_home / "one/CK").glob(".worker*")))  # the certificates go with the worker


@NEEDS
def test_unresponsive_host_is_skipped(
    ck: Callable[..., Any], server: Sshd, ck_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ck_repo.campaign.ssh._ANSWER", 0.5)
    slow = ck_home / "slow-python"
    slow.write_text("#!/bin/sh\nexec cat > /dev/null\n")  # until the connection ends
    slow.chmod(0o755)
    hosts = server.hosts({"name": "slow", "python": str(slow)})
    done = ck(*SWEEP, f"--cluster=ssh:{yaml_file(ck_home / 'hosts.yaml', hosts)}")
    assert done.code == 7
    assert "slow is skipped: it did not answer within 0 s" in done.err
    assert "no host can be used" in done.json["error"]


def _hiding(home: Path) -> Path:
    """A folder whose `ck_repo` cannot be imported."""
    (home / "hiding/ck_repo").mkdir(parents=True)
    (home / "hiding/ck_repo/__init__.py").write_text("raise ImportError\n")
    return home / "hiding"


@NEEDS
def test_changed_or_unknown_host_key_is_an_error(ck: Callable[..., Any], server: Sshd, ck_home: Path) -> None:
    key = (server.folder / "user.pub").read_text().split()[1]
    changed, unknown = ck_home / "changed", ck_home / "unknown"
    changed.write_text(f"[127.0.0.1]:{server.port} ssh-ed25519 {key}\n")
    unknown.write_text("")
    for file, message in ((changed, "its host key is not the one in known_hosts"), (unknown, "its host key is not known here")):
        hosts = server.hosts({"name": "one", "python": sys.executable}, known_hosts=str(file))
        done = ck(*SWEEP, f"--cluster=ssh:{yaml_file(ck_home / 'hosts.yaml', hosts)}")
        assert done.code == 7
        assert message in done.err
        assert "no host can be used" in done.json["error"]
