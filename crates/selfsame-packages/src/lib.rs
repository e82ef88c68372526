//! Installed packages: what the databases of dpkg, apk, rpm and pacman say, read from their texts.
//!
//! Opens nothing: the files of a host or of an image are lent as [`Files`], and the way through their links as
//! [`Locate`]. A database is believed about names and versions, not about where a path leads.
#![forbid(unsafe_code)]

mod apk;
mod database;
mod distribution;
mod dpkg;
#[cfg(test)]
mod fuzz;
mod licence;
mod pacman;
mod rpm;
mod rpmdb;
mod sqlite;
#[cfg(test)]
mod tests;

pub use apk::apk;
pub use database::{Database, Kind, Locate, Record};
pub use distribution::Distribution;
pub use dpkg::dpkg;
pub use licence::licence_of;
pub use pacman::pacman;
pub use rpm::{QUERY, packages as rpm_packages};
pub use rpmdb::{RPMDB, RpmFault, rpmdb};

/// The files of a root, by paths without a leading slash.
pub trait Files {
    /// Why a file that is there cannot be read.
    type Error;

    /// A text; nothing if there is no such file. Bytes that are not UTF-8 are replaced: such a name matches no file and
    /// such a description is only shown.
    fn text(&mut self, path: &str) -> Result<Option<String>, Self::Error>;

    /// The names in a folder; none if there is no such folder.
    fn names(&mut self, folder: &str) -> Result<Vec<String>, Self::Error>;
}

/// `Some` of a text that says something.
fn said(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text != "(none)").then(|| text.to_owned())
}
