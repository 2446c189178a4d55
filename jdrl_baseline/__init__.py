"""JDRL baseline: networks, reblurring, losses, training and prediction."""
