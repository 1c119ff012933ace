"""The same as ``bpr apply``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("apply")
