"""The same as ``bpr refine``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("refine")
