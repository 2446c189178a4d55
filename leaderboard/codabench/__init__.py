"""Competitions on Codabench: the organiser's bundle, its scoring program, and the participant's submission."""
