"""Model files: what they say of themselves, where they are found; and their cards."""
