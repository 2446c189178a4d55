"""Results files and published numbers to ranked tables: `sdd-bench leaderboard`, `submit`, `verify`, `stability`.

From below: entry, comparable (what may share a table); statistics, table, groups, stability (ranks and how sure they
are); published, reported (the papers' numbers); formats, files, page (what people read); meta, submission,
consistency, verification (entries from elsewhere).
"""
