"""The same as ``bpr export``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
