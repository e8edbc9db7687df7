"""Measures trained classifiers on labelled images."""
