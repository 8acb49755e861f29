# SPDX-License-Identifier: Apache-2.0
from setuptools import setup

# From 77 on, setuptools writes the expression; pbr does not read it from setup.cfg.
setup(setup_requires=['pbr'], pbr=True, license_expression='Apache-2.0')
