"""Many clients at the same instant: what only one may have, exactly one gets."""
