"""A config becomes a training: MMEngine's runner, validation by refining, averaging of several checkpoints."""
