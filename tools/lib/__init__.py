# SPDX-License-Identifier: Apache-2.0
"""What the commands in tools/ share."""

import os
import sys

# The commands use what the tests use: tests.support.
sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
