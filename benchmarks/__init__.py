"""The measured claims, a runnable file each: ours and the peers' interleaved in one run, as ratios.

``python -m benchmarks`` runs them all, ``python -m benchmarks.small_get`` one. They need nginx. Each ends with 1 where
a bound is missed.
"""
