"""Camera sessions to checked pairs: what `sdd-bench ingest` will be; nothing is here yet."""
