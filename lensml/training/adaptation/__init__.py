"""A classifier carried to another domain without labels."""
