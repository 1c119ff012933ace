"""The same as ``bpr test``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["test", *sys.argv[1:]]))
