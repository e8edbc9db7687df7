"""What a server tells its operators: metrics for Prometheus."""
