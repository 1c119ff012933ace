"""The same as ``bpr train``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("train")
