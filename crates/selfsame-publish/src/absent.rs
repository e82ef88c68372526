//! What a registry no longer has of what it lists.

use selfsame_oci::Descriptor;
use selfsame_registry::{Reference, Registry};

use crate::error::PublishError;
use crate::parallel::each;

/// Of these blobs, those that the registry says that it has not, or has in another size. Nothing is fetched.
///
/// # Errors
/// That it could not be asked.
pub fn absent(
    registry: &Registry,
    reference: &Reference,
    blobs: &[Descriptor],
) -> Result<Vec<Descriptor>, PublishError> {
    let (repository, _) = registry.find(reference)?;
    let has = each(blobs, |blob| repository.has_blob(&blob.digest))?;
    // Where a registry says no size, it is zero.
    let fine = |(blob, size): (&Descriptor, Option<u64>)| size.is_some_and(|size| size == blob.size || size == 0);
    Ok(blobs.iter().zip(has).filter(|pair| !fine(*pair)).map(|(blob, _)| blob.clone()).collect())
}
