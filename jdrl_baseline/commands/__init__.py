"""Commands of the JDRL baseline, one file each: parse the options, call one function, print its result."""
