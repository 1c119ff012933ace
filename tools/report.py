"""The same as ``bpr report``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("report")
