"""Layouts of released datasets: one file for each family, with its own pairing rule.

Each function returns None if its folders are missing, so that detection tries one after the other. Faults of single
files are collected in the listing; only a missing folder is refused at once.
"""

from sdd_bench.datasets.layouts.listing import Layout as Layout
from sdd_bench.datasets.layouts.listing import Listing as Listing
