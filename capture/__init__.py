"""Ingestion of camera sessions as checked pairs: `sdd-bench ingest`.

From below: exif, dump, dng, develop (files); figures, shake, still (of dead_pixels and dust), checks (what is
measured); verdict (what is made of it); session_text, session, session_writing (the description); look, exposures,
draft, contact_sheet, first_look (its first version); orientation, record, pair (one pair); duplicates, tables,
session_report (all of them); rawdata (the folder); ingest (the run); next_command.
"""
