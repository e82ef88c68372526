//! Layers and documents as their readers see them.

mod documents;
mod fixture;
mod flatten;
mod golden;
mod layers;
mod refused;
