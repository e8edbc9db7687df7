"""Results as JSON, as CSV and as drawings."""
