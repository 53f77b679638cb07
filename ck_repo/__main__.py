"""``python -m ck_repo`` is the command ``ck``."""

import sys

from ck_repo.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
