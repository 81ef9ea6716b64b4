"""Everything that knows how the contract spells things: names, kinds, bodies in and out."""
