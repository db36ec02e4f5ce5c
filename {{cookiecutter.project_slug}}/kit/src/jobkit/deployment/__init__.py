"""Deployments: what ran where, and who changes it now."""
