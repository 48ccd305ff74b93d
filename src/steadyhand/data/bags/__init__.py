"""Recordings of what a robot said and was told: bags of messages, at one rate."""
