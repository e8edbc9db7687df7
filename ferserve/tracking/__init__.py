"""What a stream remembers from frame to frame: faces, their ids, smoothed answers."""
