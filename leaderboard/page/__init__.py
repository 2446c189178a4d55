"""Leaderboard as a page: one offline HTML file."""
