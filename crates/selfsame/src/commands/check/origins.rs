//! Whether origins still have an input: asked with HEAD, for inputs that one request can find by their address or digest.
//!
//! The addresses are those of the release's definition, so nobody is asked for a release that no trusted key vouched for.

use selfsame_attest::ResourceDescriptor;
use selfsame_core::Digest;
use selfsame_definition::{ArchiveLocation, Definition, InputSpec, OciSpec, SourceOrigin};
use selfsame_fetch::Obtainable;
use selfsame_http::{Download, Presence};
use selfsame_registry::{Reference, RegistryError, Target};

use crate::commands::errors;
use crate::network::Network;
use crate::remote;
use crate::report::{Answer, Exit, Report};

/// What an origin says about an input. Nothing where the definition does not say whom to ask.
pub(super) fn has(
    definition: &Definition,
    input: &ResourceDescriptor,
    digest: &Digest,
    network: &Network,
) -> Answer<Option<Obtainable>> {
    let text = |key: &str| input.annotations.get(key).and_then(|value| value.as_str());
    let location = match (text("input").and_then(|name| definition.input(name)), &definition.source.origin) {
        (Some(InputSpec::Oci(OciSpec::Registry { reference })), _) => {
            return image(reference, text("role"), digest, network).map(Some);
        }
        (Some(InputSpec::File(file)), _) => &file.location,
        // The archive of the source belongs to no input.
        (None, SourceOrigin::Archive { location, .. })
            if text("input").is_none() && input.uri.starts_with("pkg:generic") =>
        {
            location
        }
        _ => return Ok(None),
    };
    match location {
        ArchiveLocation::Url(url) => file(url, network).map(Some),
        ArchiveLocation::Path(_) => Ok(None),
    }
}

/// Whether there is a file. That it is the one is seen when it is fetched.
fn file(url: &str, network: &Network) -> Answer<Obtainable> {
    let mut download = Download::new(url, u64::MAX);
    download.plain_http = true;
    match network.http.presence(&download) {
        Ok(Presence::There { .. }) => Ok(Obtainable::Yes),
        Ok(Presence::Absent) => Ok(gone()),
        Err(error) if error.retry_may_help() => Err(Report::new(Exit::NotNow, errors::chain(&error)).into()),
        Err(error) => Ok(Obtainable::Unknown { why: errors::chain(&error) }),
    }
}

fn gone() -> Obtainable {
    Obtainable::No { why: "its origin does not have it any more".to_owned() }
}

/// Whether a registry has a manifest or blob of an image.
fn image(reference: &str, role: Option<&str>, digest: &Digest, network: &Network) -> Answer<Obtainable> {
    let Ok(reference) = reference.parse::<Reference>() else { return Ok(gone()) };
    let target = Target::Digest(*digest);
    let asked = network.registry()?.first(&reference.with(&target), |repository| match role {
        Some("manifest") => repository.has_manifest(&target),
        _ => Ok(repository.has_blob(digest)?.is_some()),
    });
    match asked {
        Ok((_, true)) => Ok(Obtainable::Yes),
        Ok((_, false)) | Err(RegistryError::NotFound { .. }) => Ok(gone()),
        Err(error) => {
            let report = remote::registry(error);
            if report.exit == Exit::NotNow {
                return Err(report);
            }
            Ok(Obtainable::Unknown { why: report.headline })
        }
    }
}
