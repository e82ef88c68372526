//! The elements of the lists, one row each.

use serde_json::Value;

use super::Standard::{self, BsiTr03183v210 as Bsi, Cisa2025Draft as Cisa, Ntia2021 as Ntia};
use super::subject::{Component, Document, items, text};

/// What one test found.
pub(crate) enum Outcome {
    Present,
    NotApplicable,
    Missing(String),
}

use Outcome::{Missing, NotApplicable, Present};

/// What an element is asked of.
pub(crate) enum Scope {
    Document(fn(&Document<'_>) -> Outcome),
    Component(fn(&Component<'_>, &Document<'_>) -> Outcome),
}

/// One row of the table.
pub(crate) struct Element {
    pub(crate) standard: Standard,
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) scope: Scope,
}

const fn of_document(standard: Standard, name: &'static str, test: fn(&Document<'_>) -> Outcome) -> Element {
    Element { standard, name, required: true, scope: Scope::Document(test) }
}

const fn of_component(
    standard: Standard,
    name: &'static str,
    test: fn(&Component<'_>, &Document<'_>) -> Outcome,
) -> Element {
    Element { standard, name, required: true, scope: Scope::Component(test) }
}

const fn where_known(mut element: Element) -> Element {
    element.required = false;
    element
}

/// NTIA 2021 "Data Fields"; CISA 2025 draft, table of elements; BSI TR-03183-2 sections 5.2.1 to 5.2.4 and 8.2.
pub(crate) const ELEMENTS: &[Element] = &[
    of_component(Ntia, "supplier name", supplier),
    of_component(Ntia, "component name", name),
    of_component(Ntia, "version of the component", version),
    of_component(Ntia, "other unique identifiers", identifier),
    of_component(Ntia, "dependency relationship", relationship),
    of_document(Ntia, "author of SBOM data", author),
    of_document(Ntia, "timestamp", timestamp),
    of_document(Cisa, "SBOM author", author),
    of_component(Cisa, "software producer", supplier),
    of_component(Cisa, "component name", name),
    of_component(Cisa, "component version", version),
    of_component(Cisa, "software identifiers", identifier),
    of_component(Cisa, "component hash", hash),
    of_component(Cisa, "license", any_license),
    of_component(Cisa, "dependency relationship", relationship),
    of_document(Cisa, "tool name", tool),
    of_document(Cisa, "timestamp", timestamp),
    of_document(Cisa, "generation context", context),
    of_document(Bsi, "creator of the SBOM", creator_of_sbom),
    of_document(Bsi, "timestamp", timestamp),
    of_component(Bsi, "component creator", creator),
    of_component(Bsi, "component name", name),
    of_component(Bsi, "component version", version),
    of_component(Bsi, "filename of the component", |c, _| form(c, "bsi:component:filename")),
    of_component(Bsi, "dependencies with completeness", completeness),
    of_component(Bsi, "distribution licences", distribution_license),
    of_component(Bsi, "hash value of the deployable component", sha512),
    of_component(Bsi, "executable property", |c, _| form(c, "bsi:component:executable")),
    of_component(Bsi, "archive property", |c, _| form(c, "bsi:component:archive")),
    of_component(Bsi, "structured property", |c, _| form(c, "bsi:component:structured")),
    of_document(Bsi, "no vulnerability information", no_vulnerabilities),
    where_known(of_document(Bsi, "SBOM-URI", serial)),
    where_known(of_component(Bsi, "source code URI", source_uri)),
    where_known(of_component(Bsi, "URI of the deployable form", deployable_uri)),
    where_known(of_component(Bsi, "other unique identifiers", identifier)),
    where_known(of_component(Bsi, "original licences", original_license)),
];

fn present_if(found: bool, why: impl FnOnce() -> String) -> Outcome {
    if found { Present } else { Missing(why()) }
}

fn supplier(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    let named = ["/supplier/name", "/manufacturer/name", "/publisher"].iter().any(|pointer| component.has(pointer));
    present_if(named, || {
        if component.described || component.is_file() {
            "the definition names no publisher".to_owned()
        } else if component.has("/authors") {
            "neither lock nor package names a supplier, only authors".to_owned()
        } else {
            "neither lock nor package names a supplier".to_owned()
        }
    })
}

fn name(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    present_if(component.has("/name"), || "it has no name".to_owned())
}

fn version(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    present_if(component.has("/version"), || "it has no version".to_owned())
}

/// A purl, CPE, SWID, SWHID or OmniBOR id. A file that no package claims is identified by its SHA-256 alone.
fn identifier(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    let named = ["/purl", "/cpe", "/swid/tagId", "/swhid", "/omniborId"].iter().any(|pointer| component.has(pointer));
    match (named, component.is_file() && component.hash("SHA-256")) {
        (true, _) => Present,
        (_, true) => NotApplicable,
        _ => Missing("it has no purl, CPE, SWID, SWHID or OmniBOR identifier".to_owned()),
    }
}

fn relationship(component: &Component<'_>, document: &Document<'_>) -> Outcome {
    let reference = component.reference();
    if !document.needs.contains_key(reference) {
        return Missing("the dependency graph does not mention it".to_owned());
    }
    present_if(document.reached.contains(reference), || "nothing that the application needs leads to it".to_owned())
}

fn author(document: &Document<'_>) -> Outcome {
    let named = ["/metadata/manufacturer/name", "/metadata/authors", "/metadata/supplier/name"];
    present_if(named.iter().any(|pointer| document.has(pointer)), || "the definition names no publisher".to_owned())
}

/// RFC 3339 in UTC.
fn timestamp(document: &Document<'_>) -> Outcome {
    match text(document.value, "/metadata/timestamp") {
        None => Missing("the document has no timestamp".to_owned()),
        Some(time) => {
            let utc = time.ends_with('Z') || time.ends_with("+00:00");
            present_if(utc && time.len() >= 20, || "the timestamp is not a date and time in UTC".to_owned())
        }
    }
}

fn hash(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    if component.described && !component.has("/hashes") {
        return NotApplicable;
    }
    present_if(component.hash("SHA-256") || component.hash("SHA-512"), || no_hash(component))
}

fn no_hash(component: &Component<'_>) -> String {
    if component.property(crate::PROPERTY_CAPTURED).is_some() {
        "captured from the building machine: the package's own file was never seen".to_owned()
    } else {
        "the lock holds no such hash of it".to_owned()
    }
}

fn any_license(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    if component.is_file() && component.licenses().is_empty() {
        return NotApplicable;
    }
    present_if(!component.licenses().is_empty(), || no_license(component))
}

fn no_license(component: &Component<'_>) -> String {
    if component.described { "the definition names no licence" } else { "the package declares no licence" }.to_owned()
}

fn tool(document: &Document<'_>) -> Outcome {
    let new = items(document.value, "/metadata/tools/components").any(|tool| text(tool, "/name").is_some());
    let old = items(document.value, "/metadata/tools").any(|tool| text(tool, "/name").is_some());
    present_if(new || old, || "the document names no tool".to_owned())
}

fn context(document: &Document<'_>) -> Outcome {
    present_if(document.has("/metadata/lifecycles"), || {
        "the document does not say in which phase it was made".to_owned()
    })
}

/// An address or a URL; a name alone does not count.
fn reachable(value: &Value, at: &str) -> bool {
    let urls = match value.pointer(&format!("{at}/url")) {
        Some(Value::Array(urls)) => !urls.is_empty(),
        _ => false,
    };
    urls || items(value, &format!("{at}/contact")).any(|contact| text(contact, "/email").is_some())
}

fn creator_of_sbom(document: &Document<'_>) -> Outcome {
    present_if(reachable(document.value, "/metadata/manufacturer"), || {
        "the definition gives neither `email` nor `url` of the publisher".to_owned()
    })
}

fn creator(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    let organisation = reachable(component.value, "/manufacturer") || reachable(component.value, "/supplier");
    let person = items(component.value, "/authors").any(|author| text(author, "/email").is_some());
    // The guideline takes the project's web page where no address is known.
    let page = component.references("website").chain(component.references("vcs")).next().is_some();
    present_if(organisation || person || page, || {
        if component.described || component.is_file() {
            "the definition gives neither `email` nor `url` of the publisher".to_owned()
        } else {
            "the package gives no address of its authors and no web page".to_owned()
        }
    })
}

/// The described application is a logical component (section 3.2.2): its files are components of their own, and
/// file properties apply to them.
fn form(component: &Component<'_>, property: &str) -> Outcome {
    if component.property(property).is_some() {
        return Present;
    }
    if component.described {
        return NotApplicable;
    }
    Missing(if component.property(crate::PROPERTY_CAPTURED).is_some() {
        "captured from the building machine: the package's own file was never seen".to_owned()
    } else {
        "the lock does not name the package's file".to_owned()
    })
}

fn completeness(component: &Component<'_>, document: &Document<'_>) -> Outcome {
    let reference = component.reference();
    if !document.needs.contains_key(reference) {
        return Missing("the dependency graph does not mention it".to_owned());
    }
    present_if(document.declared.contains_key(reference), || {
        "no composition says whether its dependencies are complete".to_owned()
    })
}

fn distribution_license(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    let licenses = component.licenses();
    if licenses.is_empty() {
        return if component.is_file() {
            Missing("no licence is stated for single files of the image".to_owned())
        } else {
            Missing(no_license(component))
        };
    }
    if licenses.iter().any(|&(acknowledged, spdx)| acknowledged == Some("concluded") && spdx) {
        return Present;
    }
    Missing(if licenses.iter().any(|&(_, spdx)| spdx) {
        "its authors declare a licence; nobody has concluded under which one it is distributed".to_owned()
    } else {
        "its licence is no SPDX expression".to_owned()
    })
}

fn original_license(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    if component.described || component.is_file() {
        return NotApplicable;
    }
    let declared = component.licenses().iter().any(|&(acknowledged, spdx)| acknowledged != Some("concluded") && spdx);
    present_if(declared, || {
        if component.licenses().is_empty() {
            no_license(component)
        } else {
            "its licence is no SPDX expression".to_owned()
        }
    })
}

fn sha512(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    if component.described && !component.has("/hashes") {
        return NotApplicable;
    }
    present_if(component.hash("SHA-512"), || {
        if component.hash("SHA-256") {
            "the lock holds its SHA-256, and its bytes were not read again for a SHA-512".to_owned()
        } else {
            no_hash(component)
        }
    })
}

fn no_vulnerabilities(document: &Document<'_>) -> Outcome {
    present_if(document.value.get("vulnerabilities").is_none(), || {
        "vulnerability information does not belong in an SBOM (section 3.1)".to_owned()
    })
}

fn serial(document: &Document<'_>) -> Outcome {
    present_if(document.has("/serialNumber"), || "the document has no serial number".to_owned())
}

fn source_uri(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    if component.is_file() {
        return NotApplicable;
    }
    let source = component.references("source-distribution").chain(component.references("vcs")).next().is_some();
    present_if(source, || {
        if component.described { "the definition gives no source URL" } else { "the package names no repository" }
            .to_owned()
    })
}

fn deployable_uri(component: &Component<'_>, _: &Document<'_>) -> Outcome {
    if component.described {
        return NotApplicable;
    }
    present_if(component.references("distribution").next().is_some(), || {
        "where bytes come from is the machine's configuration and not recorded".to_owned()
    })
}
