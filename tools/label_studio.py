"""The same as ``bpr label-studio``."""

import sys

from bpr.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["label-studio", *sys.argv[1:]]))
