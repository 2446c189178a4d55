"""How a restoration is judged: metrics, protocols, results."""
