"""What the pairs are: layouts, splits, patches, preparation, synthesis."""
