"""The same as ``bpr app``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("app")
