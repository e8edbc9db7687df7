"""What a model is worth on labelled images."""
