"""The same as ``bpr analyze``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("analyze")
