"""What the verifiers of several policies share: reading recordings of networks, and drawing their weights."""
