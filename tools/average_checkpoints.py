"""The same as ``bpr average-checkpoints``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["average-checkpoints", *sys.argv[1:]]))
