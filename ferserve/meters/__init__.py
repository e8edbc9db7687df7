"""Meters of GPUs: load, memory and power, by NVML or a Jetson's tegrastats, and the power mode they were read in."""
