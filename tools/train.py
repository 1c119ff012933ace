"""The same as ``bpr train``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
