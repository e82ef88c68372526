//! Content-addressed storage on disk: blobs, trees, action results, publication.
