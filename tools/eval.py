"""The same as ``bpr eval``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["eval", *sys.argv[1:]]))
