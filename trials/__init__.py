"""Programs that try Genwright hard: which measure sees which fraud, and what is left of a pipeline that is killed."""
