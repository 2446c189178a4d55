"""Baselines that need no weights: defocus maps from edges, and deconvolution that follows such a map."""
