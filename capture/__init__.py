"""Ingestion of camera sessions as checked pairs: `sdd-bench ingest`.

Modules from the lowest to the highest: exif, dump, dng, develop (files); figures, shake, still (with dead_pixels and
dust), checks (measurements); verdict (accepted or refused); session_text, session, session_writing (the description of
a session); look, exposures, draft, contact_sheet, first_look (its first version); orientation, record, pair (one pair);
duplicates, tables, session_report (all pairs); rawdata (the output folder); ingest (the run); next_command.
"""
