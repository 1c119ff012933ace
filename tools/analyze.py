"""The same as ``bpr analyze``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["analyze", *sys.argv[1:]]))
