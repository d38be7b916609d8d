"""From places data comes from to encoded columns: collect, clean, split, encode, derive, feed."""
