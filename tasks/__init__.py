"""The work of Safelight: one folder a stage, plain typed functions that never import Prefect (except each `task.py`)."""
