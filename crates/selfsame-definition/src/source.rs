//! `[source]`: what is built, and its time.

use selfsame_core::{Digest, SourceEpoch};

use crate::document::{Field, Table, TextError};

/// What is built, and the one time that the build may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where its files come from.
    pub origin: SourceOrigin,
    /// Where its time comes from.
    pub epoch: Epoch,
}

/// Exactly one of `path`, `archive` and `crate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOrigin {
    /// A folder, bound at build time and not in the lock.
    Path {
        /// Relative to the definition's folder, `.` by default; may lead upwards.
        path: String,
    },
    /// A tar archive, pinned by the lock.
    Archive {
        /// Where the author found it.
        location: ArchiveLocation,
        /// Its digest, if the author vouches for it.
        sha256: Option<Digest>,
        /// How many leading path components are removed when it is unpacked.
        strip: u32,
    },
    /// A crate by exact version, pinned by the lock with the registry's checksum.
    Crate {
        /// `ripgrep`.
        name: String,
        /// `14.1.1`.
        version: String,
    },
}

/// Where an archive lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveLocation {
    /// `https://` or `http://`, without user and password.
    Url(String),
    /// A file, relative to the definition's folder.
    Path(String),
}

impl ArchiveLocation {
    /// The text in the definition.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Url(text) | Self::Path(text) => text,
        }
    }

    /// The last path component, without query and fragment: `lua-5.4.7.tar.gz`.
    #[must_use]
    pub fn file_name(&self) -> &str {
        let path = match self {
            Self::Url(text) => text.split(['?', '#']).next().unwrap_or(text),
            Self::Path(text) => text,
        };
        path.rsplit('/').next().unwrap_or(path)
    }
}

/// `epoch = "git"` or `epoch = 1700000000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// The commit time of HEAD. Only for path sources.
    Git,
    /// Stated.
    At(SourceEpoch),
}

impl Default for Source {
    fn default() -> Self {
        Self { origin: SourceOrigin::Path { path: ".".to_owned() }, epoch: Epoch::Git }
    }
}

pub(crate) fn read(table: Table<'_, '_>) -> Result<Source, TextError> {
    let table = table.only(&["path", "archive", "crate", "epoch", "sha256", "strip"])?;
    let ways = [table.field("path"), table.field("archive"), table.field("crate")];
    let mut stated = ways.iter().flatten();
    let first = stated.next();
    if let (Some(first), Some(second)) = (first, stated.next()) {
        let message = format!("`{}` beside `{}`; a source is one of path, archive, crate", second.name(), first.name());
        return Err(second.fault(message));
    }
    let [path, archive, package] = &ways;
    if archive.is_none() {
        for key in ["sha256", "strip"] {
            if let Some(field) = table.field(key) {
                return Err(field.fault(format!("`{}` goes with `source.archive` only", field.name())));
            }
        }
    }
    let origin = match (path, archive, package) {
        (_, Some(archive), _) => read_archive(&table, archive)?,
        (_, _, Some(package)) => read_crate(package)?,
        (Some(path), ..) => SourceOrigin::Path { path: relative(path)? },
        (None, None, None) => SourceOrigin::Path { path: ".".to_owned() },
    };
    let epoch = match table.field("epoch") {
        Some(field) => read_epoch(&field, &origin)?,
        None if matches!(origin, SourceOrigin::Path { .. }) => Epoch::Git,
        None => {
            let message = "`source.epoch` is missing; an archive or crate has no commit time, so state the seconds";
            return Err(first.map_or_else(|| table.fault(message), |origin| origin.fault(message)));
        }
    };
    Ok(Source { origin, epoch })
}

fn read_epoch(field: &Field<'_, '_>, origin: &SourceOrigin) -> Result<Epoch, TextError> {
    if let Some(seconds) = field.try_integer() {
        let epoch = SourceEpoch::new(seconds?);
        return epoch.map(Epoch::At).ok_or_else(|| field.fault("`source.epoch` is after the year 9999"));
    }
    match (field.string()?, origin) {
        ("git", SourceOrigin::Path { .. }) => Ok(Epoch::Git),
        ("git", _) => {
            Err(field.fault("`source.epoch` is \"git\", but the source is no git working tree; state seconds"))
        }
        ("now", _) => Err(field.fault(
            "`source.epoch` may not be \"now\": a build that reads the clock differs every time; \"git\" or seconds",
        )),
        (other, _) => {
            let message = "`source.epoch` is neither \"git\" nor a number of seconds since 1970";
            let digits = !other.is_empty() && other.bytes().all(|byte| byte.is_ascii_digit());
            Err(field.fault(if digits { format!("{message}; write it without quotes") } else { message.to_owned() }))
        }
    }
}

fn read_archive(table: &Table<'_, '_>, field: &Field<'_, '_>) -> Result<SourceOrigin, TextError> {
    let location = read_location(field)?;
    let sha256 = table.field("sha256").map(|field| read_sha256(&field)).transpose()?;
    Ok(SourceOrigin::Archive { location, sha256, strip: read_strip(table)? })
}

/// `https://…`, `http://…`, or a path relative to the definition's folder.
pub(crate) fn read_location(field: &Field<'_, '_>) -> Result<ArchiveLocation, TextError> {
    let text = field.filled()?;
    let location = match text.split_once("://") {
        Some(("https" | "http", rest)) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
            if authority.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(field.fault(format!("`{}` is not a URL", field.name())));
            }
            if authority.contains('@') {
                return Err(field.fault(format!(
                    "`{}` holds a user name or password; those belong into this machine's configuration",
                    field.name()
                )));
            }
            if let Some(name) = secret_parameter(text) {
                return Err(field.fault(format!(
                    "`{}` holds a secret, `{name}`: the definition is published with the release; such an address is for this \
                     machine's configuration",
                    field.name()
                )));
            }
            ArchiveLocation::Url(text.to_owned())
        }
        Some((scheme, _)) => {
            let scheme = crate::document::clip(scheme);
            return Err(field.fault(format!("`{}` has the scheme `{scheme}`; https and http are known", field.name())));
        }
        None => ArchiveLocation::Path(relative(field)?),
    };
    if matches!(location.file_name(), "" | "." | "..") {
        return Err(field.fault(format!("`{}` names no file", field.name())));
    }
    Ok(location)
}

/// The parameter of an address' query that is a signature or a token, by its name.
fn secret_parameter(url: &str) -> Option<&str> {
    const SECRETS: [&str; 14] = [
        "access_token",
        "api_key",
        "apikey",
        "auth",
        "password",
        "private_token",
        "sig",
        "signature",
        "token",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "x-goog-credential",
        "x-goog-signature",
    ];
    let query = url.split_once('?')?.1.split('#').next()?;
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or(pair));
    names.into_iter().find(|name| SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret)))
}

/// How many leading components an archive's paths lose: 1 by default.
pub(crate) fn read_strip(table: &Table<'_, '_>) -> Result<u32, TextError> {
    let Some(field) = table.field("strip") else { return Ok(1) };
    match u32::try_from(field.integer()?) {
        Ok(strip) if strip <= 16 => Ok(strip),
        _ => Err(field.fault(format!("`{}` is more than 16", field.name()))),
    }
}

/// 64 hex digits, with or without `sha256:`.
pub(crate) fn read_sha256(field: &Field<'_, '_>) -> Result<Digest, TextError> {
    let text = field.string()?;
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    Digest::from_hex(hex).map_err(|_| field.fault(format!("`{}` is not 64 lowercase hex digits", field.name())))
}

fn read_crate(field: &Field<'_, '_>) -> Result<SourceOrigin, TextError> {
    let text = field.string()?;
    let fault = |what: &str| field.fault(format!("`{}` {what}; written like `ripgrep@14.1.1`", field.name()));
    let (name, version) = text.split_once('@').ok_or_else(|| fault("has no version"))?;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty()
        || name.len() > 64
        || !name.bytes().all(letter)
        || !name.starts_with(|c: char| c.is_ascii_alphabetic())
    {
        return Err(fault("has no proper crate name"));
    }
    if !is_exact_version(version) {
        return Err(fault("has no exact version"));
    }
    Ok(SourceOrigin::Crate { name: name.to_owned(), version: version.to_owned() })
}

/// `MAJOR.MINOR.PATCH`, with what semantic versioning lets follow.
fn is_exact_version(text: &str) -> bool {
    let digits = |part: &str| {
        !part.is_empty()
            && part.len() <= 20
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let tail = |part: &str| {
        part.split('.').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    text.len() <= 128
        && core.split('.').count() == 3
        && core.split('.').all(digits)
        && pre.is_none_or(tail)
        && build.is_none_or(tail)
}

/// A path relative to the definition's folder, which may lead upwards, in one spelling.
pub(crate) fn relative(field: &Field<'_, '_>) -> Result<String, TextError> {
    let text = field.filled()?;
    if text.starts_with('/') {
        let message = format!("`{}` is absolute; a path relative to the definition's folder is wanted", field.name());
        return Err(field.fault(message));
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    Ok(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}
