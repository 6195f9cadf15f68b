"""Sym Flows for Python: sym.sdk is what handlers import, sym.run is how they are run."""
