//! What needs no registry.

mod addresses;
mod auth_files;
mod challenges;
mod fuzz;
mod helpers;
mod places;
mod references;
