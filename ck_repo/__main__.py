"""``python -m ck_repo`` is the command ``ck``."""

import sys

from ck_repo.start import main

if __name__ == "__main__":
    sys.exit(main())
