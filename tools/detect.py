"""The same as ``bpr detect``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["detect", *sys.argv[1:]]))
