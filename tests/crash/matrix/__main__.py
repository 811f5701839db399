"""``python -m tests.crash.matrix``."""

import sys

# Not in this file: a process of the pool cannot find what is in the module that was started.
from tests.crash.matrix.whole import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
