"""The leaderboard as a page: one HTML file that opens offline."""
