"""Folders and buckets of videos, annotated by many machines."""
