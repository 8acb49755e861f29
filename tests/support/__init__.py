# SPDX-License-Identifier: Apache-2.0
"""What tests and tools share: HAProxies to test against, fakes, captured replies."""
import os

# The checkout.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
