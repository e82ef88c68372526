//! Files that look as if they should not be in a source: keys, tokens, passwords. They are warned about, not refused.

use selfsame_core::RelPath;

/// A file of a source that looks like a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretLike {
    /// Where.
    pub path: RelPath,
    /// Why it was noticed, as a noun: `a private key`.
    pub why: &'static str,
}

/// Larger files are not searched: keys and token files are small.
pub(crate) const SEARCHED_BYTES: u64 = 64 * 1024;

/// What a name says by itself.
pub(crate) fn by_name(path: &RelPath) -> Option<&'static str> {
    let name = path.file_name();
    let ends = |ending: &str| name.len() > ending.len() && name.ends_with(ending);
    let template = [".example", ".sample", ".template", ".dist"].iter().any(|ending| ends(ending));
    if (name == ".env" || name.starts_with(".env.")) && !template {
        return Some("an environment file");
    }
    match name {
        "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519" | "id_ecdsa_sk" | "id_ed25519_sk" => Some("an SSH key"),
        ".netrc" | "_netrc" | ".git-credentials" | ".pgpass" | ".htpasswd" => Some("a password file"),
        "credentials" | "credentials.json" | "credentials.toml" => Some("a credentials file"),
        "kubeconfig" => Some("cluster credentials"),
        ".dockercfg" => Some("registry credentials"),
        _ if ends(".p12") || ends(".pfx") || ends(".jks") || ends(".keystore") => Some("a key store"),
        _ if ends(".ppk") || ends(".kdbx") => Some("a key store"),
        _ => None,
    }
}

/// Whether a name makes it worth to look into a file whose content is known already.
pub(crate) fn worth_reading(path: &RelPath) -> bool {
    let name = path.file_name();
    matches!(name, ".npmrc" | ".pypirc" | ".yarnrc.yml" | "config.json" | "config")
        || [".pem", ".key", ".kubeconfig"].iter().any(|ending| name.ends_with(ending))
}

/// What the beginning of a file says. `content` has at most [`SEARCHED_BYTES`].
pub(crate) fn by_content(path: &RelPath, content: &[u8]) -> Option<&'static str> {
    let holds = |needle: &[u8]| find(content, needle).is_some();
    if private_key(content) {
        return Some("a private key");
    }
    match path.file_name() {
        ".npmrc" if holds(b"_authToken=") || holds(b"_password=") || holds(b"_auth=") => Some("a registry token"),
        ".yarnrc.yml" if holds(b"npmAuthToken:") => Some("a registry token"),
        ".pypirc" if holds(b"password") => Some("a registry password"),
        "config.json" if path.parent().is_some_and(|folder| folder.file_name() == ".docker") && holds(b"\"auth\"") => {
            Some("registry credentials")
        }
        _ if holds(b"client-key-data:") => Some("cluster credentials"),
        _ => None,
    }
}

/// A PEM header of a private key of any kind, at the beginning of a line and alone in it: source code that merely
/// mentions one has quotes around it.
fn private_key(content: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut rest = content;
    while let Some(at) = find(rest, BEGIN) {
        let at_line_start = at == 0 || rest[at - 1] == b'\n';
        let line = rest[at + BEGIN.len()..].split(|&byte| byte == b'\n').next().unwrap_or(&[]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if at_line_start && (line.ends_with(b"PRIVATE KEY-----") || line.ends_with(b"PRIVATE KEY BLOCK-----")) {
            return true;
        }
        rest = &rest[at + BEGIN.len()..];
    }
    false
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|&byte| byte == first) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, content: &str, expected: Option<&str>) {
        let path = RelPath::new(path).unwrap();
        assert_eq!(by_name(&path).or_else(|| by_content(&path, content.as_bytes())), expected, "{path}");
    }

    #[test]
    fn keys_tokens_and_environment_files() {
        let key = ["-----BEGIN OPENSSH PRIV", "ATE KEY-----\nabc\n"].concat();
        check("deploy/server.pem", &key, Some("a private key"));
        check("x.txt", &format!("text\r\n{}", key.replace('\n', "\r\n")), Some("a private key"));
        check("x.asc", &["-----BEGIN PGP PRIVATE", " KEY BLOCK-----\n"].concat(), Some("a private key"));
        check("server.pem", "-----BEGIN CERTIFICATE-----\n", None);
        check("src/key.rs", &format!("const HEADER: &str = \"{}\";", key.lines().next().unwrap()), None);
        check(".env", "", Some("an environment file"));
        check("a/.env.production", "", Some("an environment file"));
        check(".env.example", "", None);
        check(".environment", "", None);
        check(".ssh/id_ed25519", "", Some("an SSH key"));
        check("id_ed25519.pub", "", None);
        check(".npmrc", "registry=x\n//r/:_authToken=abc", Some("a registry token"));
        check(".npmrc", "save-exact=true", None);
        check("ci/.docker/config.json", "{\"auths\":{\"x\":{\"auth\":\"eA==\"}}}", Some("registry credentials"));
        check("config.json", "{\"auth\":1}", None);
        check("kube/prod.yaml", "users:\n- user:\n    client-key-data: LS0t", Some("cluster credentials"));
        check(".aws/credentials", "", Some("a credentials file"));
        check("release.p12", "", Some("a key store"));
        check("README", "- nothing - here -----BEGIN", None);
    }
}
