"""Public Python functions on images, datasets and results, available through `import sdd_bench as sb`."""
