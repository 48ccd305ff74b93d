"""Tensors to tensors: denoisers, encoders and what they are built of. No schedules."""
