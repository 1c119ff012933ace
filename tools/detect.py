"""The same as ``bpr detect``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("detect")
