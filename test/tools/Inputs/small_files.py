# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs a command that can write no more than some bytes to a file, as on a full disk.

small_files.py BYTES COMMAND...
"""

import os
import resource
import signal
import sys

# Ignored, the signal leaves writes that fail.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
os.execvp(sys.argv[2], sys.argv[2:])
