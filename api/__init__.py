"""The wire: the URLs, JSON, authentication and paging of ACS Job Router, in front of the engine."""
