# SPDX-License-Identifier: Apache-2.0
"""Code shared by the tests and the tools: HAProxy instances, fakes and captured replies."""
import os

# The root directory of the checkout.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
