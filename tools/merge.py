"""The same as ``bpr merge``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("merge")
