"""sdd-bench: toolkit and benchmark for defocus deblurring with misaligned pairs."""

from sdd_bench.version import __version__

__all__ = ["__version__"]
