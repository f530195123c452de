"""The web console at /: what a case manager works with, as pages made on the server. docs/decisions/020-console.md says on what base."""

from server.console.routes import install

__all__ = ["install"]
