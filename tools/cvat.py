"""The same as ``bpr cvat``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["cvat", *sys.argv[1:]]))
