"""Camera sessions to checked pairs: `sdd-bench ingest`.

From below: exif, develop (files); figures, shake, still (of dead_pixels and dust), checks (what is measured);
verdict (what is made of it); session_text, session, draft (the description); record, pair (one pair); duplicates,
tables, session_report (all of them); rawdata (the folder); ingest (the run).
"""
