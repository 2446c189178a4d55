"""Networks of JDRL: F, which deblurs, with its blur map and its bodies, and R, which reblurs."""
