"""Shared by all trainers: pixels, checkpoints, files, plots, export."""
