"""One function over many items: worker processes, Dask, a journal, a lock, the folder of a run."""
