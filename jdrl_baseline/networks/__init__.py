"""The networks of JDRL: F, which deblurs, with its blur map and its two possible bodies, and R, which blurs again."""
