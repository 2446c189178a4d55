"""Static web site of several tables."""
