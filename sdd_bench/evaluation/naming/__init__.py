"""Matching of prediction files to images, whatever names the method's code uses."""
