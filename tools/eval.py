"""The same as ``bpr eval``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("eval")
