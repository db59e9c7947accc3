"""The document types that benchmarks issue; their consortia's issuer may issue them."""

from __future__ import annotations

BENCHMARK = "benchmark"
GROWTH = "growth"
GROWTH_CERTIFICATE = "growth-certificate"
GROWTH_ANCHOR = "growth-anchor"
ALL = (BENCHMARK, GROWTH, GROWTH_ANCHOR, GROWTH_CERTIFICATE)
