"""The commands of the JDRL baseline, one file each: parse, call, print."""
