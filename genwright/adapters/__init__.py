"""The only files that import DVC, MLflow or Prefect's server; nothing else in the library imports this room."""
