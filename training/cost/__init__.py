"""What models cost to run on this machine: speed, memory, processor and GPU load, power, file size."""
