# SPDX-License-Identifier: Apache-2.0
"""The families of commands that the fake knows, each with the state that its commands change."""
