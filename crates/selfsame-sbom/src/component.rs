//! One component each: the application, a file of the image, a package, an input that is neither.

use packageurl::PackageUrl;
use serde_json::{Map, Value, json};

use crate::facts::{Entity, FactsError, Form, ImageFile, Input, Part, PartKind, Publisher};
use crate::license::{License, license};
use crate::properties::{Properties, is_email, is_uri, put, put_array};
use crate::{Facts, PROPERTY_CAPTURED, PROPERTY_INPUT, PROPERTY_UNLOCKED};

/// Refuses what is no package URL, and gives it back.
pub(crate) fn checked_purl(purl: &str) -> Result<&str, FactsError> {
    match purl.parse::<PackageUrl<'_>>() {
        Ok(_) => Ok(purl),
        Err(fault) => Err(FactsError::Purl { purl: purl.chars().take(200).collect(), fault: fault.to_string() }),
    }
}

/// The application's package URL.
pub(crate) fn application_purl(facts: &Facts) -> Result<String, FactsError> {
    if let Some(purl) = &facts.purl {
        return checked_purl(purl).map(str::to_owned);
    }
    let fault = |fault: packageurl::Error| FactsError::Purl {
        purl: format!("pkg:generic/{}@{}", facts.name, facts.version),
        fault: fault.to_string(),
    };
    let mut purl = PackageUrl::new("generic", facts.name.as_str()).map_err(fault)?;
    purl.with_version(facts.version.as_str()).map_err(fault)?;
    Ok(purl.to_string())
}

/// `metadata.component`: what the document describes.
pub(crate) fn application(facts: &Facts, reference: &str) -> Result<Value, FactsError> {
    let mut object = Map::new();
    object.insert("type".into(), "application".into());
    object.insert("bom-ref".into(), reference.into());
    object.insert("name".into(), facts.name.as_str().into());
    object.insert("version".into(), facts.version.as_str().into());
    object.insert("purl".into(), reference.into());
    let publisher = publisher(&facts.publisher)?;
    put(&mut object, "manufacturer", publisher.clone());
    put(&mut object, "supplier", publisher);
    // The publisher states under which terms the release is handed out: BSI's "distribution licence", which
    // CycloneDX writes as concluded.
    put(&mut object, "licenses", facts.license.as_deref().and_then(|text| licenses(text, "concluded")));
    put_array(&mut object, "externalReferences", security_references(&facts.publisher));
    let mut properties = Properties::default();
    properties.set("selfsame:platform", facts.platform.to_string());
    if let Some(image) = facts.image {
        properties.set("selfsame:image", image.to_string());
    }
    put(&mut object, "properties", properties.array());
    Ok(Value::Object(object))
}

/// A file of the image.
pub(crate) fn image_file(file: &ImageFile, facts: &Facts, reference: &str) -> Result<Value, FactsError> {
    if !file.path.starts_with('/') || file.path.ends_with('/') {
        return Err(FactsError::Path { path: file.path.escape_debug().to_string() });
    }
    let sha512 = json!({ "alg": "SHA-512", "content": file.sha512.hex() });
    let filename = file.path.rsplit('/').next().unwrap_or(&file.path);
    let mut properties = Properties::default();
    form_properties(&mut properties, filename, file.form);
    properties.set("selfsame:size", file.size.to_string());
    if let Some(origin) = &file.origin {
        properties.set("selfsame:origin", origin.as_str());
    }
    if let Some(layer) = file.layer {
        properties.set("selfsame:layer:diffID", layer.to_string());
    }
    let mut object = Map::new();
    object.insert("type".into(), "file".into());
    object.insert("bom-ref".into(), reference.into());
    object.insert("name".into(), file.path.as_str().into());
    // A file without a version has its modification date for one (BSI TR-03183-2, section 5.2.2).
    put(&mut object, "version", file.modified.map(|modified| modified.rfc3339()));
    if !file.by_others {
        put(&mut object, "manufacturer", brief(&facts.publisher));
    }
    object.insert("hashes".into(), json!([{ "alg": "SHA-256", "content": file.sha256.hex() }, sha512]));
    object.insert(
        "externalReferences".into(),
        json!([{ "type": "distribution", "url": format!("file://{}", percent_encoded(&file.path)), "hashes": [sha512] }]),
    );
    object.insert("evidence".into(), json!({ "occurrences": [{ "location": file.path }] }));
    put(&mut object, "properties", properties.array());
    Ok(Value::Object(object))
}

/// A package, shipped or build-only; the bom-ref says which.
pub(crate) fn part(
    part: &Part,
    reference: &str,
    is_input: bool,
    mut properties: Properties,
) -> Result<Value, FactsError> {
    let mut object = Map::new();
    let kind = match part.kind {
        PartKind::Library => "library",
        PartKind::Application => "application",
        PartKind::File => "file",
    };
    object.insert("type".into(), kind.into());
    object.insert("bom-ref".into(), reference.into());
    object.insert("name".into(), part.name.as_str().into());
    object.insert("version".into(), part.version.as_str().into());
    object.insert("purl".into(), checked_purl(&part.purl)?.into());
    put(&mut object, "description", part.description.as_deref().map(str::trim).filter(|text| !text.is_empty()));
    put(&mut object, "licenses", part.license.as_deref().and_then(|text| licenses(text, "declared")));
    put(&mut object, "supplier", part.supplier.as_ref().and_then(entity));
    put_array(&mut object, "authors", part.authors.iter().filter_map(|text| author(text)).collect());
    put_array(&mut object, "hashes", hashes(part));
    put_array(&mut object, "externalReferences", package_references(part, &mut properties));
    if !part.locations.is_empty() {
        let locations: Vec<Value> = part.locations.iter().map(|location| json!({ "location": location })).collect();
        object.insert("evidence".into(), json!({ "occurrences": locations }));
    }
    if let Some(filename) = &part.filename {
        // A published package file combines many and can be taken apart.
        form_properties(&mut properties, filename, Form { executable: false, archive: true, structured: true });
    }
    for feature in &part.features {
        properties.set("selfsame:feature", feature.as_str());
    }
    properties.flag(PROPERTY_INPUT, is_input);
    properties.flag(PROPERTY_CAPTURED, part.captured);
    properties.flag(PROPERTY_UNLOCKED, part.unlocked);
    put(&mut object, "properties", properties.array());
    Ok(Value::Object(object))
}

/// A locked input that no part stands for: a source tree, an archive, a captured toolchain.
pub(crate) fn bare_input(input: &Input, reference: &str) -> Value {
    let mut properties = Properties::default();
    properties.set("selfsame:uri", input.uri.as_str());
    properties.flag(PROPERTY_CAPTURED, input.captured);
    if let Some(size) = input.size {
        properties.set("selfsame:size", size.to_string());
    }
    let mut object = Map::new();
    object.insert("type".into(), "file".into());
    object.insert("bom-ref".into(), reference.into());
    object.insert("name".into(), input.name.as_str().into());
    object.insert("hashes".into(), json!([{ "alg": "SHA-256", "content": input.sha256.hex() }]));
    if input.uri.parse::<PackageUrl<'_>>().is_ok() {
        object.insert("purl".into(), input.uri.as_str().into());
        properties.flag(PROPERTY_INPUT, true);
    }
    put(&mut object, "properties", properties.array());
    Value::Object(object)
}

/// An `organizationalEntity` for the publisher, security contact included, or nothing.
pub(crate) fn publisher(publisher: &Publisher) -> Result<Option<Value>, FactsError> {
    let mut contacts = Vec::new();
    if let Some(email) = &publisher.email {
        if !is_email(email) {
            return Err(FactsError::Publisher { text: email.clone(), wanted: "an e-mail address" });
        }
        contacts.push(json!({ "email": email }));
    }
    if let Some(contact) = &publisher.security_contact {
        if is_email(contact) {
            contacts.push(json!({ "name": "security", "email": contact }));
        } else if !is_uri(contact) {
            return Err(FactsError::Publisher { text: contact.clone(), wanted: "an e-mail address or a URL" });
        }
    }
    if let Some(url) = publisher.url.as_ref().filter(|url| !is_uri(url)) {
        return Err(FactsError::Publisher { text: url.clone(), wanted: "a URL" });
    }
    let mut object = Map::new();
    put(&mut object, "name", publisher.name.as_deref());
    put(&mut object, "url", publisher.url.as_ref().map(|url| json!([url])));
    put_array(&mut object, "contact", contacts);
    Ok((!object.is_empty()).then_some(Value::Object(object)))
}

/// The publisher as each of many files repeats it: the name, and the address or else the web page that BSI asks for.
fn brief(publisher: &Publisher) -> Option<Value> {
    let url = publisher.url.clone().filter(|_| publisher.email.is_none());
    entity(&Entity { name: publisher.name.clone(), url, email: publisher.email.clone() })
}

/// Where vulnerabilities are reported, as an external reference of the application.
fn security_references(publisher: &Publisher) -> Vec<Value> {
    let url = publisher.security_contact.iter().map(|contact| {
        if is_email(contact) { format!("mailto:{}", percent_encoded(contact)) } else { contact.clone() }
    });
    url.map(|url| json!({ "type": "security-contact", "url": url })).collect()
}

fn entity(entity: &Entity) -> Option<Value> {
    let mut object = Map::new();
    put(&mut object, "name", entity.name.as_deref());
    put(&mut object, "url", entity.url.as_deref().filter(|url| is_uri(url)).map(|url| json!([url])));
    let email = entity.email.as_deref().filter(|email| is_email(email));
    put(&mut object, "contact", email.map(|email| json!([{ "email": email }])));
    (!object.is_empty()).then_some(Value::Object(object))
}

/// `Ada Lovelace <ada@example.com>`, `Ada Lovelace` or `ada@example.com`.
fn author(text: &str) -> Option<Value> {
    let text = text.trim();
    let (name, email) = match text.split_once('<') {
        Some((name, rest)) => (name.trim(), rest.trim_end_matches('>').trim()),
        None if is_email(text) => ("", text),
        None => (text, ""),
    };
    let mut object = Map::new();
    put(&mut object, "name", Some(name).filter(|name| !name.is_empty()));
    put(&mut object, "email", Some(email).filter(|email| is_email(email)));
    (!object.is_empty()).then_some(Value::Object(object))
}

fn licenses(text: &str, acknowledgement: &str) -> Option<Value> {
    Some(match license(text)? {
        License::Expression(expression) => {
            json!([{ "expression": expression, "acknowledgement": acknowledgement }])
        }
        License::Name(name) => json!([{ "license": { "name": name, "acknowledgement": acknowledgement } }]),
    })
}

fn hashes(part: &Part) -> Vec<Value> {
    let sha256 = part.sha256.map(|digest| json!({ "alg": "SHA-256", "content": digest.hex() }));
    let sha512 = part.sha512.map(|digest| json!({ "alg": "SHA-512", "content": digest.hex() }));
    sha256.into_iter().chain(sha512).collect()
}

/// Web page and repository. A text that is no URL is kept as a property, since the schema would refuse it here.
fn package_references(part: &Part, properties: &mut Properties) -> Vec<Value> {
    let mut references = Vec::new();
    for (kind, url) in [("vcs", &part.repository), ("website", &part.homepage)] {
        let Some(url) = url.as_deref().map(str::trim).filter(|url| !url.is_empty()) else { continue };
        if is_uri(url) {
            references.push(json!({ "type": kind, "url": url }));
        } else {
            properties.set(&format!("selfsame:{kind}"), url);
        }
    }
    references
}

fn form_properties(properties: &mut Properties, filename: &str, form: Form) {
    properties.set("bsi:component:filename", filename);
    properties.set("bsi:component:executable", if form.executable { "executable" } else { "non-executable" });
    properties.set("bsi:component:archive", if form.archive { "archive" } else { "no archive" });
    properties.set("bsi:component:structured", if form.structured { "structured" } else { "unstructured" });
}

/// A path or address inside a URI: all but unreserved characters, `/` and `@` as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'@' => {
                encoded.push(byte as char);
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
