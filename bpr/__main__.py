"""``python -m bpr``: the same as ``bpr``."""

from bpr.cli.main import entry

if __name__ == "__main__":
    entry()
