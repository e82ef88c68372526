//! Other people's registries, started on loopback: Debian's docker-registry, which has no list of referrers, and
//! ferro-oci-server, which has.
