//! Deterministic layers, configs, manifests and layouts, and the careful reading of other people's.
