"""The same as ``bpr convert``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("convert")
