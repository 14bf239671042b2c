"""Architectures as torch modules."""

from moo_nas.networks.builder import build, build_block

__all__ = ["build", "build_block"]
