"""State that a stream keeps between frames: tracked faces, their ids, smoothed results."""
