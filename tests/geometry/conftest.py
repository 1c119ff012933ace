from tests.arithmetic import arithmetic  # noqa: F401  (every test of this folder runs both ways)
