"""Write docs/faults.md from the results of a campaign: ``python docs/make_faults.py RESULTS.jsonl``; `nox -s faults` does both."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("faults.md")
_INTRODUCTION = """# Faults

What a command leaves when it is killed, interrupted, or out of disk space.

- **Old or new.** A change of entries is recorded in `CK_REPOS/.pending` before it is made. If the process dies first, the store is as it
  was; if it dies later, the next command completes the change. `ck rm`, `ren`, `mv`, `update`, `unzip --overwrite`, `detect` and
  `import submission` all go this way, so an entry is never lost and never there twice.
- **A venv comes back.** `ck create venv --force` sets the old venv aside. Unless the new one is complete, the old one is restored, by the
  same command or, after a kill, by the next one.
- **Leftovers are swept.** Each process holds a lock on the record of its temporary folders. When it is gone, the next command (or
  `ck clean env`) removes them. Nothing is removed because of its age.
- **Several at once.** Updates of one entry by several processes are all kept. If several processes claim one name, UID or archive, one
  gets it and the others end with status 4.
- **Full disks.** The error says `the disk is full` and exits with status 8. Nothing half-made stays. `ck ren` and `ck mv` within one file
  system need no space.
- **The clock** may jump: what was registered last wins by its number, not by its time.

`CK_REPOS` may be on a file system without locks. Leftovers are not swept there, and changes of several processes are not kept apart.

## The campaign

`nox -s faults` strikes each command at random moments and holds the store against these promises: the next commands work, the result
is old or new, and nothing is left over. SIGKILL and SIGINT strike at a random call of the file system; ENOSPC leaves a random number of
bytes on the disk. `CK_FAULTS=N` sets the number of strikes, `CK_FAULTS_SEED` repeats a campaign. Outcomes are counted: the *old*
state, the *new* state, or *some* of several entries new. The page is written only if every strike ended in one of these.

| command | fault | strikes | old | new | some new |
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
