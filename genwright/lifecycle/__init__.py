"""What becomes of a model: runs, gates, promotion, ledger, costs, watching."""
