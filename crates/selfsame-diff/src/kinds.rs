//! The kinds of files that are taken apart. Adding one is one file here and one row below.

pub(crate) mod ar;
pub(crate) mod bytes;
pub(crate) mod elf;
pub(crate) mod gzip;
pub(crate) mod json;
pub(crate) mod nested;
pub(crate) mod png;
pub(crate) mod pyc;
pub(crate) mod tarball;
pub(crate) mod text;
pub(crate) mod zip;

use crate::content::Explainer;

/// In the order in which they are asked.
pub(crate) const TABLE: &[Explainer] = &[
    Explainer { kind: "ELF", claims: elf::claims, explain: elf::explain },
    Explainer { kind: "ar archive", claims: ar::claims, explain: ar::explain },
    Explainer { kind: "gzip", claims: gzip::claims, explain: gzip::explain },
    Explainer { kind: "zip", claims: zip::claims, explain: zip::explain },
    Explainer { kind: "tar", claims: tarball::claims, explain: tarball::explain },
    Explainer { kind: "Python bytecode", claims: pyc::claims, explain: pyc::explain },
    Explainer { kind: "PNG", claims: png::claims, explain: png::explain },
    Explainer { kind: "JSON", claims: json::claims, explain: json::explain },
    Explainer { kind: "text", claims: text::claims, explain: text::explain },
];
