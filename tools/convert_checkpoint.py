"""The same as ``bpr convert-checkpoint``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert-checkpoint", *sys.argv[1:]]))
