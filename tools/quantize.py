"""The same as ``bpr quantize``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["quantize", *sys.argv[1:]]))
