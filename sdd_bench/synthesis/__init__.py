"""Synthesis of pairs with known truth from sharp photographs, and predictions of known quality."""
