"""The same as ``bpr convert``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert", *sys.argv[1:]]))
