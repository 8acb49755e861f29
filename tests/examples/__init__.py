# SPDX-License-Identifier: Apache-2.0
"""The examples of the documentation, on real HAProxies."""
import os

import pytest

from tests.support import ROOT

if not os.path.isdir(os.path.join(ROOT, 'docs', 'source')):
    pytest.skip('there is no documentation beside tests/', allow_module_level=True)
