//! The SBOM against the provenance.

use std::collections::BTreeSet;

use std::borrow::Cow;

use serde_json::Value;

use selfsame_attest::canonical_of;
use selfsame_attest::text::quote;
use selfsame_core::Digest;
use selfsame_core::json::{Node, Objects};

use crate::rows::Rows;
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// What the provenance calls the SBOM among its byproducts.
const SBOM_NAME: &str = "sbom.cdx.json";
/// The property of a component that is an input of the build, named by its purl.
const PROPERTY_INPUT: &str = "selfsame:input";
/// The property of a component that is in the image, and that no lock names.
const PROPERTY_UNLOCKED: &str = "selfsame:unlocked";
/// The property with the URI of an input, which may be other than a purl.
const PROPERTY_URI: &str = "selfsame:uri";

/// The rows `sbom-digest` and `components`.
///
/// `as_signed` is the SHA-256 of the SBOM's bytes as they stand in the payload, if they stand apart in it.
pub(super) fn check(evidence: &Evidence, as_signed: Option<Digest>, rows: &mut Rows) {
    digest(evidence, as_signed, rows);
    components(evidence, rows);
}

fn digest(evidence: &Evidence, as_signed: Option<Digest>, rows: &mut Rows) {
    const ID: CheckId = CheckId::SbomDigest;
    let named: Vec<_> =
        evidence.provenance.run_details.byproducts.iter().filter(|byproduct| byproduct.name == SBOM_NAME).collect();
    let [byproduct] = named[..] else {
        return rows.fail(ID, format!("the provenance names {} byproducts `{SBOM_NAME}`", named.len()), Vec::new());
    };
    let Some(expected) = byproduct.digest.sha256() else {
        return rows.fail(ID, format!("the provenance names `{SBOM_NAME}` without a SHA-256"), Vec::new());
    };
    if as_signed == Some(expected) {
        return rows.pass(ID, vec![Fact::new("sbom", expected.to_string())]);
    }
    // Signed in another spelling, perhaps: its canonical form decides.
    let found = match canonical_of(&Value::Object(evidence.sbom.to_json())) {
        Ok(bytes) => Digest::of(&bytes),
        Err(error) => return rows.fail(ID, format!("the SBOM: {error}"), Vec::new()),
    };
    if found == expected {
        return rows.pass(ID, vec![Fact::new("sbom", found.to_string())]);
    }
    let facts = vec![Fact::new("expected", expected.to_string()), Fact::new("found", found.to_string())];
    rows.fail(ID, "the SBOM is another one than the provenance names", facts);
}

fn components(evidence: &Evidence, rows: &mut Rows) {
    const ID: CheckId = CheckId::Components;
    if !evidence.sbom.get("bomFormat").is_some_and(|format| format.is("CycloneDX")) {
        return rows.fail(ID, "the SBOM's `bomFormat` is not `CycloneDX`", Vec::new());
    }
    let inputs: BTreeSet<(&str, Digest)> = evidence
        .provenance
        .build_definition
        .resolved_dependencies
        .iter()
        .filter_map(|input| Some((input.uri.as_str(), input.digest.sha256()?)))
        .collect();
    let locked: BTreeSet<&str> = inputs.iter().map(|(uri, _)| *uri).collect();
    let mut all = Vec::new();
    collect(evidence.sbom.objects("components"), &mut all);
    evidence.sbom.objects("formulation").for_each(|formula| collect(formula.objects("components"), &mut all));
    let (mut checked, mut unlocked, count) = (0, 0, all.len());
    for component in all {
        let name = || quote(&text(component, "name").unwrap_or("a component without a name".into()));
        let purl = || text(component, "purl");
        let [input, uri, is_unlocked] = properties(component, [PROPERTY_INPUT, PROPERTY_URI, PROPERTY_UNLOCKED]);
        let input = input.as_deref() == Some("true");
        let claims = [input.then(purl), uri.map(Some)];
        if is_unlocked.as_deref() == Some("true") {
            if input || purl().is_some_and(|purl| locked.contains(&*purl)) {
                let fault = format!("`{}` is marked as locked by nothing and is an input of the provenance", name());
                return rows.fail(ID, fault, Vec::new());
            }
            unlocked += 1;
        }
        for uri in claims.into_iter().flatten() {
            let Some(uri) = uri else {
                return rows.fail(ID, format!("`{}` is marked as an input and has no purl", name()), Vec::new());
            };
            let Some(sha256) = sha256_of(component) else {
                return rows.fail(ID, format!("`{}` is marked as an input and has no SHA-256", name()), Vec::new());
            };
            if !inputs.contains(&(&*uri, sha256)) {
                let facts = vec![Fact::new("uri", quote(&uri)), Fact::new("sha256", sha256.hex())];
                return rows.fail(ID, format!("`{}` is no input of the provenance", name()), facts);
            }
            checked += 1;
        }
    }
    let mut facts = vec![Fact::new("components", count.to_string()), Fact::new("inputs", checked.to_string())];
    if unlocked > 0 {
        facts.push(Fact::new("locked by nothing", unlocked.to_string()));
    }
    rows.pass(ID, facts);
}

/// These components and theirs, flat. The parser has bounded depth and count.
fn collect<'t>(components: Objects<'t>, all: &mut Vec<Node<'t>>) {
    for component in components {
        all.push(component);
        collect(component.objects("components"), all);
    }
}

/// The string under `field`.
pub(crate) fn text<'t>(object: Node<'t>, field: &str) -> Option<Cow<'t, str>> {
    object.get(field)?.as_str()
}

/// The values of the component's properties of these names, each of the first that has it.
fn properties<'t, const N: usize>(component: Node<'t>, names: [&str; N]) -> [Option<Cow<'t, str>>; N] {
    let mut found = [None; N];
    for property in component.objects("properties") {
        let Some(name) = property.get("name") else { continue };
        if let Some(at) = names.iter().position(|wanted| name.is(wanted)) {
            found[at].get_or_insert(property);
        }
    }
    found.map(|property| text(property?, "value"))
}

/// The component's SHA-256, if it has exactly one.
pub(super) fn sha256_of(component: Node<'_>) -> Option<Digest> {
    let mut hashes = component.objects("hashes").filter(|it| it.get("alg").is_some_and(|it| it.is("SHA-256")));
    let digest = Digest::from_hex(&text(hashes.next()?, "content")?).ok()?;
    hashes.next().is_none().then_some(digest)
}

/// Whether this component is marked as an input.
pub(crate) fn is_input(component: Node<'_>) -> bool {
    properties(component, [PROPERTY_INPUT])[0].as_deref() == Some("true")
}

/// Whether this component says that it is in the image and that nothing had locked it.
pub(crate) fn is_unlocked(component: Node<'_>) -> bool {
    properties(component, [PROPERTY_UNLOCKED])[0].as_deref() == Some("true")
}
