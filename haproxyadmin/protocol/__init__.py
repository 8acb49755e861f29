"""The protocol of HAProxy's stats socket; nothing in here is public."""
