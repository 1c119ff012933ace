"""The same as ``bpr cvat``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry("cvat")
