"""Camera sessions to checked pairs: their description, EXIF, development, checks and verdicts.

`sdd-bench ingest`, which will put these together, is not there yet.
"""
