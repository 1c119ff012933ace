"""The same as ``bpr extract-patches``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("extract-patches")
