"""``python -m ck_repo`` is the command ``ck``."""

import os
import sys

try:
    from ck_repo.start import main
except KeyboardInterrupt:  # there is no signal handler yet
    os.write(2, b"ck: error: interrupted\n")
    os._exit(130)

if __name__ == "__main__":
    sys.exit(main())
