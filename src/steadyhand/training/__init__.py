"""Learning: what is trained on, the session of a run and its checkpoints."""
