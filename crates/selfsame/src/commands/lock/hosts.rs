//! The hosts that a definition's own addresses name. Where bytes really come from is this machine's configuration.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_definition::{ArchiveLocation, Definition, InputSpec, Name, OciSpec, SourceOrigin};
use selfsame_lock::Lock;

/// Hosts, and the inputs that name each.
pub(super) type Hosts = BTreeMap<String, BTreeSet<String>>;

/// The hosts that `after` names and `before` does not.
pub(super) fn new(before: &Definition, after: &Definition) -> Hosts {
    let known = all(before);
    all(after).into_iter().filter(|(host, _)| !known.contains_key(host)).collect()
}

/// The hosts of the inputs that are new to the lock, but for those that its other inputs name, too.
pub(super) fn of_chosen(definition: &Definition, lock: &Lock, chosen: &[&Name]) -> Hosts {
    let mut known = BTreeSet::new();
    let mut hosts = Hosts::new();
    for name in lock.inputs.keys() {
        let Some(host) = of_input(definition, name.as_str()) else { continue };
        if chosen.contains(&name) {
            hosts.entry(host).or_default().insert(name.to_string());
        } else {
            known.insert(host);
        }
    }
    hosts.retain(|host, _| !known.contains(host));
    hosts
}

fn all(definition: &Definition) -> Hosts {
    let mut hosts = Hosts::new();
    let names = definition.all_inputs().map(|(name, _)| name.as_str());
    for name in names.chain(["source"]) {
        if let Some(host) = of_input(definition, name) {
            hosts.entry(host).or_default().insert(name.to_owned());
        }
    }
    hosts
}

/// The host that an input's own address has; nothing where the definition names none.
fn of_input(definition: &Definition, name: &str) -> Option<String> {
    match definition.input(name) {
        Some(InputSpec::File(file)) => of_location(&file.location),
        Some(InputSpec::Git(git)) => of_url(&git.repository),
        Some(InputSpec::Oci(OciSpec::Registry { reference })) => of_reference(reference),
        Some(_) => None,
        None => match &definition.source.origin {
            SourceOrigin::Archive { location, .. } if name == "source" => of_location(location),
            _ => None,
        },
    }
}

fn of_location(location: &ArchiveLocation) -> Option<String> {
    match location {
        ArchiveLocation::Url(url) => of_url(url),
        ArchiveLocation::Path(_) => None,
    }
}

/// `https://user@example.com:8443/x` is `example.com:8443`; a path has none.
pub(super) fn of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// The host of an image's name, where it has one: its first part has a dot or a port, or is `localhost`.
fn of_reference(reference: &str) -> Option<String> {
    let (host, _) = reference.split_once('/')?;
    (host.contains(['.', ':']) || host == "localhost").then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{of_reference, of_url};

    #[test]
    fn hosts_of_addresses() {
        assert_eq!(of_url("https://user:word@Example.com:8443/a@b?c").as_deref(), Some("example.com:8443"));
        assert_eq!(of_url("ssh://git@example.com/x").as_deref(), Some("example.com"));
        assert_eq!((of_url("../lib"), of_url("file:///lib")), (None, None));
        assert_eq!(of_reference("registry.example:5000/a/b:1").as_deref(), Some("registry.example:5000"));
        assert_eq!((of_reference("debian:12"), of_reference("library/debian:12")), (None, None));
    }
}
