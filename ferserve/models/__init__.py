"""Model files: their specs, where they are found, and the bundled weights with their cards."""
