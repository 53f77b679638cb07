"""Write docs/faults.md from the results of a campaign: ``python docs/make_faults.py RESULTS.jsonl``; `nox -s faults` does both."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("faults.md")
_INTRODUCTION = """# Faults

This page describes what happens if a command is killed or interrupted, or if the disk is full.

- **Atomic changes.** A change of entries is recorded in `CK_REPOS/.pending` before it is made. If the process dies before that, the store
  is unchanged; if it dies later, the next command completes the change. `ck rm`, `ren`, `mv`, `update`, `unzip --overwrite`, `detect` and
  `import submission` all work this way, so entries are never lost or duplicated.
- **Venvs are restored.** `ck create venv --force` renames the old venv. If the new one is not completed, the old one is restored, by the
  same command or, after a kill, by the next one.
- **Leftovers are removed.** Each process holds a lock on the record of its temporary folders. After it has ended, the next command
  (or `ck clean env`) removes them. Nothing is removed because of its age.
- **Concurrent processes do not conflict.** If several processes update one entry, all updates are kept. If several processes claim the same name, UID or
  archive, one of them succeeds and the others end with status 4.
- **Full disks are reported.** The error is `the disk is full`, with exit status 8. Incomplete files are removed. `ck ren` and `ck mv` within one file
  system need no space.
- **Clock changes have no effect.** The latest registration is determined by its number, not by its time.

`CK_REPOS` may be on a file system without locks. Leftovers are then not removed, and concurrent changes are not synchronized.

## The test

`nox -s faults` interrupts each command at random moments and checks these guarantees: the next commands work, the result is the old
or the new state, and no leftovers remain. SIGKILL and SIGINT are sent at a random file system call; ENOSPC leaves a random number of
bytes on the disk. `CK_FAULTS=N` sets the number of faults, and `CK_FAULTS_SEED` repeats them. The table counts the outcomes: the *old*
state, the *new* state, or *some* of several entries new. This page is only written if every fault had one of these outcomes.

| command | fault | injected | old | new | some new |
|---|---|---|---|---|---|
"""


def page(results: list[dict[str, object]]) -> str:
    """The page, with a line for each command and fault."""
    lines = []
    for row in sorted(results, key=lambda row: (str(row["command"]), str(row["fault"]))):
        counts = row["outcomes"]
        assert isinstance(counts, dict)
        cells = [row["command"], row["fault"], row["times"], *(counts.get(name, 0) for name in ("old", "new", "some new"))]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return _INTRODUCTION + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page([json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]), encoding="utf-8")
