"""Messages of the Open Inference Protocol, in both directions."""
