"""Frames that wait for a thread: queues, turns, streams."""
