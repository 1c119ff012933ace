"""The same as ``bpr doctor``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("doctor")
