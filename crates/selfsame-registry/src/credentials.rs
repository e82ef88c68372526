//! Whom to be for which registry: the files of Docker and podman, in their order, and the helpers that they name.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use selfsame_http::Environment;

use crate::auth_file::{AuthFile, FILE_BYTES, Found};
use crate::{Host, Login, RegistryError, helper};

/// What this machine knows about who it is. Read once; helpers are asked when a registry wants to know.
#[derive(Clone)]
pub struct Credentials {
    files: Vec<AuthFile>,
    environment: Environment,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&Path> = self.files.iter().map(|file| file.path.as_path()).collect();
        f.debug_struct("Credentials").field("files", &files).finish_non_exhaustive()
    }
}

impl Credentials {
    /// None: every registry is asked as nobody.
    #[must_use]
    pub fn none() -> Self {
        Self { files: Vec::new(), environment: Environment::default() }
    }

    /// Reads those that exist of, in the order in which they are asked:
    ///
    /// 1. `$REGISTRY_AUTH_FILE`
    /// 2. `$XDG_RUNTIME_DIR/containers/auth.json`
    /// 3. `$XDG_CONFIG_HOME/containers/auth.json`, else `~/.config/containers/auth.json`
    /// 4. `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`
    ///
    /// Fails on a file that is there and cannot be read.
    pub fn read(environment: &Environment) -> Result<Self, RegistryError> {
        let mut files = Vec::new();
        for path in places(environment) {
            if let Some(bytes) = read_file(&path)? {
                files.push(AuthFile::parse(&path, &bytes)?);
            }
        }
        Ok(Self { files, environment: environment.clone() })
    }

    /// Who to be for a repository: the first file that says something. May run a credential helper.
    pub fn login(&self, host: &Host, repository: &str) -> Result<Option<Login>, RegistryError> {
        for file in &self.files {
            let login = match file.find(host, repository) {
                None => None,
                Some(Found::Login(login)) => Some(login),
                Some(Found::Helper { name, server }) => helper::ask(&name, &server, &self.environment)?,
            };
            if login.is_some() {
                return Ok(login);
            }
        }
        Ok(None)
    }
}

fn places(environment: &Environment) -> Vec<PathBuf> {
    let folder = |name: &str| environment.variable(name).map(PathBuf::from);
    let home = |below: &str| Some(folder("HOME")?.join(below));
    let places = [
        folder("REGISTRY_AUTH_FILE"),
        folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
        folder("XDG_CONFIG_HOME").or_else(|| home(".config")).map(|folder| folder.join("containers/auth.json")),
        folder("DOCKER_CONFIG").or_else(|| home(".docker")).map(|folder| folder.join("config.json")),
    ];
    places.into_iter().flatten().collect()
}

/// A file of at most [`FILE_BYTES`]; nothing if none is there.
pub(crate) fn read_file(path: &Path) -> Result<Option<Vec<u8>>, RegistryError> {
    use std::io::ErrorKind;
    let fault = |fault: String| RegistryError::Configuration { path: path.to_owned(), fault };
    let file = match std::fs::File::open(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        other => other.map_err(|error| fault(format!("cannot be read: {error}")))?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fault(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(fault(format!("has more than {FILE_BYTES} bytes")));
    }
    Ok((!bytes.is_empty()).then_some(bytes))
}
