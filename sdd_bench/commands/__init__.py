"""Commands of sdd-bench, one file each: parse the options, call one function, print its result."""
