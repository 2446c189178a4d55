"""The JDRL baseline: what `sdd-bench train-baseline` and `predict` will be; nothing is here yet."""
