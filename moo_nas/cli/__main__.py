"""``python -m moo_nas.cli``."""

import sys

from moo_nas.cli import main

if __name__ == "__main__":
    sys.exit(main())
