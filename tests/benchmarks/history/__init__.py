"""The figures of past revisions: measured, kept in ``benchmarks/history``, and shown on a page."""
