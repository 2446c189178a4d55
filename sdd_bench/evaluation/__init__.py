"""Scoring of predictions: protocols, anchors on disk, matching, diagnostics, results files."""
