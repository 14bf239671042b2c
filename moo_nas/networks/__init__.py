"""Architectures as torch modules."""

from moo_nas.networks.builder import INITS, Init, build, build_block

__all__ = ["INITS", "Init", "build", "build_block"]
