"""Progress in a callback, a notebook and a script."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from ck_repo import progress
from ck_repo.api import progress as showing
from ck_repo.api.progress import Progress, in_notebook, shown


def _work() -> None:
    with progress.task("counting", 4, "birds") as row:
        row.advance_to(1)
        row.advance_to(3, 5, "some gulls")
    progress.say("done")


def test_function_is_called_for_each_step() -> None:
    seen: list[Progress] = []
    with shown(seen.append):
        _work()
    assert seen == [
        Progress("counting", 0, 4, "birds"),
        Progress("counting", 1, 4, "birds"),
        Progress("counting", 3, 5, "birds", "some gulls"),
        Progress("counting", 3, 5, "birds", "some gulls", finished=True),
        Progress("done"),
    ]


def test_error_in_function_ends_step() -> None:
    def stop(step: Progress) -> None:
        if step.done == 1:
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"), shown(stop):
        _work()


def test_previous_output_is_restored(capsys: pytest.CaptureFixture[str]) -> None:
    before = progress._sink
    with shown(False):
        _work()
    assert progress._sink is before
    assert capsys.readouterr() == ("", "")


def test_script_gets_lines_on_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ck_repo.cli.progress._QUIET_FOR", 0.0)
    with shown(None):
        _work()
    assert capsys.readouterr().out == ""
    assert not in_notebook()


@pytest.mark.parametrize(("shell", "notebook"), [(None, False), (object(), False), (SimpleNamespace(kernel=1), True)])
def test_kernel_is_detected_as_notebook(shell: object, notebook: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is notebook


class _Handle:
    def __init__(self, shown: list[dict[str, str]]) -> None:
        self._shown = shown

    def update(self, content: dict[str, str], raw: bool) -> None:
        assert raw
        self._shown.append(content)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The output of a notebook cell, in order; the clock advances by a second with each call."""
    notebook = pytest.importorskip("ck_repo.api.notebook", reason="IPython is not installed", exc_type=ImportError)
    contents: list[dict[str, str]] = []

    def display(content: dict[str, str], **options: Any) -> _Handle:
        contents.append(content)
        return _Handle(contents)

    seconds = iter(range(100))
    monkeypatch.setattr(notebook, "display", display)
    monkeypatch.setattr(notebook, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(showing, "in_notebook", lambda: True)
    return contents


def test_notebook_gets_one_updating_line(cell: list[dict[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    with shown(None):
        _work()
    assert [content["text/plain"] for content in cell] == [
        "counting: 1 birds of 4 birds", "counting: 3 birds of 5 birds, some gulls", "counting: 3 s",
    ]  # fmt: skip
    assert cell[0]["text/html"] == '<progress value="0.250"></progress> counting: 1 birds of 4 birds'
    assert capsys.readouterr().out == "done\n"


def test_progress_html_is_escaped(cell: list[dict[str, str]]) -> None:
    with shown(None), progress.task("<b>", None, "") as row:
        row.advance_to(1, note="<i>")
    assert cell[0]["text/html"] == "<progress></progress> &lt;b&gt;: 1, &lt;i&gt;"
