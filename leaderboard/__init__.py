"""Ranked tables from results files and published numbers: `sdd-bench leaderboard`, `submit`, `verify`, `stability`.

From below: entry, comparable (what may share a table); statistics, table, groups, stability (ranks and how sure they
are, as DataFrames of numbers); ranking (the table in Python); published, reported (the papers' numbers); csv_files,
formats, files, page (numbers as text); models, meta, submission, pack, consistency, verification (submitted entries).
"""
