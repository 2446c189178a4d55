"""Where things are: similarities, sampling, dense flow."""
