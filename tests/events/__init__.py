"""Events reach everybody: filters, the live feed, streams."""
