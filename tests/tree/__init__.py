"""Tests of the source tree itself: what no behaviour shows and reviews overlook."""
