"""From the bytes of a frame to the pixels of a face."""
