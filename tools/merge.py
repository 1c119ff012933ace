"""The same as ``bpr merge``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["merge", *sys.argv[1:]]))
