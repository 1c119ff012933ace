"""What a user can get wrong: one line that says what was expected, what came, and how to mend it."""


class BPRError(Exception):
    """Bad input or a run that cannot go on. Its text is one line for the user; the command exits with 1."""


class BadMask(BPRError):
    """One mask that cannot be read. A run keeps such a record as it was and counts it."""


class BadImage(BPRError):
    """One image that cannot be found or read. A run keeps its records as they were and counts them."""
