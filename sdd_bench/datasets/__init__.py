"""Pairs and datasets: layouts, catalogue, splits, patches, preparation, archive."""
