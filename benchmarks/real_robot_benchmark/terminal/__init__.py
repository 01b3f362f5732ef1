"""The operator's console in a terminal; it works over ssh and in 80 x 24."""
