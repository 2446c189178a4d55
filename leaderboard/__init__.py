"""Ranked tables from results files and published numbers: `sdd-bench leaderboard`, `submit`, `verify`, `stability`.

From the bottom up: entry and comparable (results that may share a table); statistics, table, groups and stability
(ranks and their uncertainty, as DataFrames of numbers); ranking (the table in Python); published and reported (the
papers' numbers); csv_files, formats, files and page (numbers as text); models, meta, submission, pack, consistency and
verification (submitted entries).
"""
