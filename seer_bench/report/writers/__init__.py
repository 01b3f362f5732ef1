"""One module a format; each renders a `Document` and decides nothing about its content."""
