"""Queues, turns and streams: what happens to a frame until a worker takes it up."""
