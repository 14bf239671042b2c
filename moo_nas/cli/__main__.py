"""``python -m moo_nas.cli``."""

import sys

from moo_nas.cli import main

sys.exit(main())
