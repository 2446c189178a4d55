"""Public Python functions on images, datasets and results, offered by `import sdd_bench as sb`."""
