"""Sharp photographs to pairs with known truth, and predictions of known quality."""
