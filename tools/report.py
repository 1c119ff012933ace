"""The same as ``bpr report``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
