//! The release folder against stock tools.
