"""The same as ``bpr refine``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["refine", *sys.argv[1:]]))
