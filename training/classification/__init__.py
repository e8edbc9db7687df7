"""The trainer of the published classification works."""
