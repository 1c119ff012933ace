"""The same as ``bpr doctor``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["doctor", *sys.argv[1:]]))
