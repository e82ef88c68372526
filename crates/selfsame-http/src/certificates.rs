//! Whom this machine trusts to say who a server is.

use std::io::Read;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts};

use crate::environment::Environment;

/// Where distributions keep the certificates that this machine trusts.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];
const FILE_BYTES: u64 = 16 << 20;
/// In a folder of certificates.
const FILES: usize = 10_000;

/// What is trusted, and a fault of a file that was named: the path, and why not.
type Read_ = Result<Vec<Certificate<'static>>, (String, String)>;

/// What the system trusts: `$SSL_CERT_FILE` and `$SSL_CERT_DIR` if one is set, else the distribution's bundle. Nothing
/// where there is none: then those that browsers trust stand in.
pub(crate) fn of_system(environment: &Environment) -> Read_ {
    let file = environment.variable("SSL_CERT_FILE").map(PathBuf::from);
    let folders = environment.variable("SSL_CERT_DIR");
    if file.is_none() && folders.is_none() {
        return Ok(BUNDLES.iter().find_map(|path| of_file(Path::new(path)).ok()).unwrap_or_default());
    }
    let mut certificates = Vec::new();
    if let Some(path) = &file {
        certificates.extend(of_file(path).map_err(|why| (format!("`SSL_CERT_FILE` ({})", path.display()), why))?);
    }
    for folder in folders.iter().flat_map(|folders| std::env::split_paths(folders)) {
        certificates.extend(of_folder(&folder).map_err(|why| (format!("`SSL_CERT_DIR` ({})", folder.display()), why))?);
    }
    if certificates.is_empty() {
        return Err(("`SSL_CERT_DIR`".to_owned(), "there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

/// What files that the user names add to it.
pub(crate) fn of_files(paths: &[PathBuf]) -> Read_ {
    let mut certificates = Vec::new();
    for path in paths {
        certificates.extend(of_file(path).map_err(|why| (format!("`{}`", path.display()), why))?);
    }
    Ok(certificates)
}

/// As ureq takes them.
pub(crate) fn roots(certificates: &[Certificate<'static>]) -> RootCerts {
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(certificates) }
}

fn of_file(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    if !file.metadata().map_err(|error| error.to_string())?.is_file() {
        return Err("it is not a file".to_owned());
    }
    file.take(FILE_BYTES).read_to_end(&mut pem).map_err(|error| error.to_string())?;
    let certificates = ureq::tls::parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(certificates) }
}

/// Of a folder, what its files hold; those that hold no certificate are passed over, as OpenSSL does.
fn of_folder(folder: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut paths: Vec<PathBuf> = entries.take(FILES).filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    // One certificate may stand there under many names.
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for certificate in paths.iter().filter_map(|path| of_file(path).ok()).flatten() {
        if seen.insert(certificate.der().to_vec()) {
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}
