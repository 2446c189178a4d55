"""Execution of one function over many items: worker processes, Dask, journal, lock, run folder."""
