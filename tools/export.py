"""The same as ``bpr export``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("export")
