"""Baselines that need no weights: defocus maps from edges, and spatially varying deconvolution with such a map."""
