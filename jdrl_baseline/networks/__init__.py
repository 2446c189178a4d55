"""Networks of JDRL: F for deblurring, with its blur map and its bodies, and R for reblurring."""
