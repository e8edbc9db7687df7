"""Results as JSON and as drawings."""
