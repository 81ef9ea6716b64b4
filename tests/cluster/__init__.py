"""The router on a cluster, and behind Sentinel."""
