//! Whether origins still have an input: asked with HEAD, for inputs that one request can find by their address or digest.
//!
//! The addresses are those of the release's definition, so nobody is asked for a release that no trusted key vouched for.

use selfsame_attest::ResourceDescriptor;
use selfsame_core::Digest;
use selfsame_definition::{ArchiveLocation, Definition, InputSpec, OciSpec, SourceOrigin};
use selfsame_http::{HttpError, Method, Request};
use selfsame_registry::{Reference, RegistryError, Target};

use crate::commands::errors;
use crate::network::Network;
use crate::remote;
use crate::report::{Answer, Exit, Report};

/// What an origin says about an input: whether it has it. Nothing where it is not known whom to ask.
pub(super) fn has(
    definition: &Definition,
    input: &ResourceDescriptor,
    digest: &Digest,
    network: &Network,
) -> Answer<Option<bool>> {
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
fn file(url: &str, network: &Network) -> Answer<bool> {
    let mut request = Request::new(Method::Head, url);
    request.plain_http = true;
    match network.http.send(&request).and_then(|response| response.success()) {
        Ok(_) => Ok(true),
        Err(HttpError::NotFound { .. }) => Ok(false),
        Err(error) => {
            let exit = if error.retry_may_help() { Exit::NotNow } else { Exit::Unanswered };
            Err(Report::new(exit, errors::chain(&error)).into())
        }
    }
}

/// Whether a registry has a manifest or blob of an image.
fn image(reference: &str, role: Option<&str>, digest: &Digest, network: &Network) -> Answer<bool> {
    let Ok(reference) = reference.parse::<Reference>() else { return Ok(false) };
    let target = Target::Digest(*digest);
    let asked = network.registry()?.first(&reference.with(&target), |repository| match role {
        Some("manifest") => repository.has_manifest(&target),
        _ => Ok(repository.has_blob(digest)?.is_some()),
    });
    match asked {
        Ok((_, has)) => Ok(has),
        Err(RegistryError::NotFound { .. }) => Ok(false),
        Err(error) => Err(remote::registry(error)),
    }
}
