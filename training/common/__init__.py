"""What every recipe uses: pixels, checkpoints, files, plots, export."""
