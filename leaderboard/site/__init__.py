"""A static web site of several tables."""
