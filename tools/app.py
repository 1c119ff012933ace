"""The same as ``bpr app``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["app", *sys.argv[1:]]))
