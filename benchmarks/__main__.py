"""Every stage's benchmark, in the order of the night, each in a process of its own: `python -m benchmarks`."""

import subprocess
import sys

STAGES = ("pull", "deidentify", "volumes", "infer", "deliver", "returns", "evaluate", "publish")
#: Parts of a stage that have a floor of their own.
PARTS = ("receive",)

if __name__ == "__main__":
    sys.exit(
        max(subprocess.run([sys.executable, "-m", f"benchmarks.{stage}"], check=False).returncode for stage in (*STAGES, *PARTS))
    )
