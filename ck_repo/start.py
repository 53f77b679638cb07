"""The entry point of the command. It handles Ctrl-C and closed streams before anything else is loaded."""

from __future__ import annotations

import os
import sys

_INTERRUPTED = b"ck: error: interrupted\n"
try:  # Ctrl-C may arrive during these imports, when there is no handler yet
    import io
    import signal
except KeyboardInterrupt:
    os.write(2, _INTERRUPTED)
    os._exit(130)


def main() -> int:
    """Run the command line; return the exit status."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` and shells without job control ignore it on purpose
                signal.signal(number, _leave)
    except KeyboardInterrupt:
        _leave(signal.SIGINT, None)
    open_streams()
    if sys.argv[1:2] == ["_complete"]:  # called for each press of the Tab key, so nothing else is loaded
        from ck_repo.cli.complete import main as complete

        return complete(sys.argv[2:])
    from ck_repo.cli.main import main as run

    try:
        if signal.getsignal(signal.SIGINT) is _leave:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # a second Ctrl-C while the first was handled
        return 128 + signal.SIGINT
    for number in (signal.SIGINT, signal.SIGTERM):  # no cleanup is left to do
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    return close_stdout(status)


def _leave(number: int, frame: object) -> None:
    """Exit at once: nothing has started yet, or everything has ended."""
    try:
        os.write(2, _INTERRUPTED)
    finally:
        os._exit(128 + signal.SIGINT)


class _Lenient(io.FileIO):
    """A stream whose reader may have closed it, or whose disk may be full: failed writes are ignored."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]
        except OSError:
            return len(data)  # type: ignore[arg-type]


def open_streams() -> None:
    """Open closed streams on /dev/null, so that no file gets their numbers; make writes to stderr never fail."""
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(file, True)
    os.close(file)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    raw = _Lenient(2, "wb", closefd=False)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=getattr(sys.stderr, "encoding", "utf-8"),
        errors="backslashreplace",
        line_buffering=True,
    )


def close_stdout(status: int) -> int:
    """Flush stdout; if that fails, return an exit status instead of a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return status or 8
    return status


if __name__ == "__main__":
    sys.exit(main())
