"""One file a command of sdd-bench: parse, call, print."""
