"""Run pytest, under coverage if this Python has sys.monitoring: the only measure that sees threads of Qt."""

import subprocess
import sys

measure = ["coverage", "run", "-m"] if sys.version_info >= (3, 12) else []
sys.exit(subprocess.call([sys.executable, "-m", *measure, "pytest", *sys.argv[1:]]))
