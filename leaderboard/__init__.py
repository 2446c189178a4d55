"""Results files and published numbers to ranked tables."""
