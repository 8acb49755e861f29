# SPDX-License-Identifier: Apache-2.0
"""Code shared by the commands in tools/."""

import os
import sys

# The commands import tests.support, as the tests do.
sys.path.insert(1, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
