"""The repository's reference cluster: three narrating services and what starts them."""
