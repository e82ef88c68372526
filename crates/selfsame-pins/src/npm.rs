//! Node: `package-lock.json`, `package.json`, integrity strings, npm's settings.

mod integrity;
mod npmrc;
mod package_json;
mod package_lock;

pub use integrity::{Integrity, IntegrityError};
pub use npmrc::{Npmrc, RegistryAuth};
pub use package_json::PackageJson;
pub use package_lock::{LockedPackage, PackageLock, is_name};
