"""The same as ``bpr synthesize-masks``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["synthesize-masks", *sys.argv[1:]]))
