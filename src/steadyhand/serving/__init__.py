"""Policies over WebSocket, for robots that use openpi's client and for our own: `steadyhand serve`.

Needs the extra `serve`; torch for nothing but what a policy itself needs.
"""
