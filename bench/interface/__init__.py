"""What the HTTP layer costs: requests a second against yardsticks, and the share of each stage."""
