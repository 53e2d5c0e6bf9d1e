"""Each stage against its floor, measured in one run: `python -m benchmarks.NAME`, or `python -m benchmarks` for all. See README.md."""
