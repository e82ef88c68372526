//! Host toolchains recorded as trees: which files, which packages, whose licence.
