"""Orchestration only: what follows what. One flow a file; the work is in `tasks/`."""
