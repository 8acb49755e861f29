# SPDX-License-Identifier: Apache-2.0
"""Where the package that is tested is: beside ``tests/``, or where it is installed."""
import os

import haproxyadmin

PACKAGE = os.path.dirname(os.path.abspath(haproxyadmin.__file__))
# What other Pythons have to have on their path.
PACKAGE_ROOT = os.path.dirname(PACKAGE)
