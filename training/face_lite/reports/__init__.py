"""Figures and pictures for the detector's card."""
