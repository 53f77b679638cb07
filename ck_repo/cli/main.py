"""The main function of the command line."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from io import TextIOWrapper

from ck_repo import progress
from ck_repo.cli import words as grammar
from ck_repo.cli.dispatch import error_of, perform
from ck_repo.cli.output import Output
from ck_repo.cli.progress import console_sink
from ck_repo.errors import InterruptedByUser

_INTERRUPTED = "interrupted; completed installs are kept, an unfinished run is discarded, and downloads resume"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # escape characters that the terminal cannot show, instead of failing
            stream.reconfigure(errors="backslashreplace")
    _end_on_terminate()
    output = Output.guess(typed)
    try:
        words = grammar.parse(typed)
        output = Output.of(words)
        with progress.shown_in(progress.SILENT if output.form == "none" else console_sink()):
            if words.action in ("", "help", "version") or words.options.get("help"):
                _mention_stock_ck()
            return output.answer(perform(words))
    except BrokenPipeError:
        return output.reader_left()
    except KeyboardInterrupt:
        return output.error(InterruptedByUser(_INTERRUPTED))
    except Exception as error:
        return output.error(error_of(error))


def _mention_stock_ck() -> None:
    """Report on stderr that stock CK is in the same environment, in help and version output on a terminal."""
    from ck_repo.cli import neighbour

    if line := neighbour.warning():
        progress.say(line, always=True)


def _end_on_terminate() -> None:
    """Make SIGTERM, which batch systems send, clean up as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
