"""The same task done by other software, each in a virtual environment of its own, in turns with ferserve.

One script per peer; the block of comments at its top (inline script metadata of PyPA) says what it needs and how it is
asked. ``python -m benchmarks.peers`` prints the table.
"""
