"""The same as ``bpr extract-patches``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["extract-patches", *sys.argv[1:]]))
