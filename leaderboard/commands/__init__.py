"""Commands of the leaderboard, one file each: parse the options, call one function, print its result."""
