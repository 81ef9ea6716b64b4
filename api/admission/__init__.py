"""Who may come in: bounds for what is under way, so that no client and no router takes all for itself."""
