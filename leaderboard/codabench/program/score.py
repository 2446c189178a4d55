"""Score a submission with sdd-bench, which the competition's image has installed: score.py INPUT OUTPUT."""

import sys

from leaderboard.codabench.scoring import main

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
