"""Recordings to tables, plots and annotated clips, over night."""
