"""Camera sessions to checked pairs: `sdd-bench ingest`.

From below: exif, develop (files); figures, focus, shake, still, checks (what is measured, and the verdict);
session_text, session, draft (the description); record, pair (one pair); duplicates, tables, session_report (all of
them); rawdata (the folder); ingest (the run).
"""
