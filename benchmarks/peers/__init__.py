"""Other engines, each installed by its own package manager into an environment of its own below the work folder."""

from __future__ import annotations

from peers.environments import Absent, PythonPeer, Ready
from peers.registry import Peers

__all__ = ["Absent", "Peers", "PythonPeer", "Ready"]
