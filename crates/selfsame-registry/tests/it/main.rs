//! The client against a registry that behaves, and against ones that do not.

mod images;
mod logins;
mod manifests;
mod pulls;
mod pushes;
mod real;
mod referrers;
mod world;
