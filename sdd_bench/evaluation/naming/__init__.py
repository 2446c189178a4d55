"""Matching of prediction files to images, whatever naming the method's code uses."""
