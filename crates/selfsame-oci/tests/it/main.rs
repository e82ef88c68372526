//! Layers and documents as their readers see them.

mod base;
mod bounds;
mod documents;
mod fixture;
mod flatten;
mod golden;
mod layers;
mod lookup;
mod refused;
mod select;
