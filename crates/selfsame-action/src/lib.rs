//! Actions, their digests, and the plan that a definition and its lock make.
