"""The same as ``bpr apply``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["apply", *sys.argv[1:]]))
