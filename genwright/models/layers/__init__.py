"""Building blocks that families share; they know no family and no kind of content."""
