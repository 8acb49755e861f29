# SPDX-License-Identifier: Apache-2.0
"""The protocol of HAProxy's stats socket; nothing in here is public."""
