"""Predictions to scores: protocols, anchors on disk, matching, diagnostics, results files."""
