"""Layouts of released datasets: one file for each family, with its own pairing rule.

A function returns None where its folders are not there, so that recognition is asking one after the other. What is
wrong with single files is collected in the listing; only a folder that is missing altogether is refused at once.
"""

from sdd_bench.datasets.layouts.listing import Layout as Layout
from sdd_bench.datasets.layouts.listing import Listing as Listing
