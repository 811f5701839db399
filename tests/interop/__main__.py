"""``python -m tests.interop``."""

import sys

from tests.interop.whole import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
