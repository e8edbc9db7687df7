"""Load generators and what they measure: ``ferserve bench``."""
