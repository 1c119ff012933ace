"""The same as ``bpr visualize``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["visualize", *sys.argv[1:]]))
