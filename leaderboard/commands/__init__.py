"""The commands of the leaderboard, one file each: parse, call, print."""
