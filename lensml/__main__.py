"""``python -m lensml`` is ``lensml``."""

import sys

from lensml.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
