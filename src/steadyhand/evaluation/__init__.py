"""Does it work, and how sure are we: rollouts, offline judging, intervals, comparison."""
