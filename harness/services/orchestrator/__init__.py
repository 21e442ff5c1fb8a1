"""The control plane: admits jobs, places them on nodes, relays their streams; has no GPU."""
