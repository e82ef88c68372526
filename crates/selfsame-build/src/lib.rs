//! The pipeline: build a release, rebuild it, compare.
