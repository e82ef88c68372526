//! What three lists of minimum elements still miss in a CycloneDX document: `sbom --check`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

mod elements;
mod subject;

use elements::{ELEMENTS, Outcome, Scope};
use subject::{Component, Document};

/// A published list of what an SBOM should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Standard {
    /// NTIA, "The Minimum Elements For a Software Bill of Materials", July 2021.
    #[serde(rename = "ntia-2021")]
    Ntia2021,
    /// CISA, "2025 Minimum Elements for a Software Bill of Materials", draft of August 2025.
    #[serde(rename = "cisa-2025-draft")]
    Cisa2025Draft,
    /// BSI TR-03183-2, version 2.1.0, August 2025.
    #[serde(rename = "bsi-tr-03183-2-v2.1.0")]
    BsiTr03183v210,
}

impl Standard {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Ntia2021, Self::Cisa2025Draft, Self::BsiTr03183v210];

    /// `NTIA 2021`, as people say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ntia2021 => "NTIA 2021",
            Self::Cisa2025Draft => "CISA 2025 draft",
            Self::BsiTr03183v210 => "BSI TR-03183-2 v2.1.0",
        }
    }
}

/// Every element of every list, in a fixed order, also those that miss nothing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// One for each element.
    pub rows: Vec<Row>,
}

/// One element of one list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// Whose list.
    pub standard: Standard,
    /// The element, in the list's words.
    pub element: &'static str,
    /// Whether the list demands it; otherwise it is wanted where it exists.
    pub required: bool,
    /// How many components (or documents: one) have it.
    pub present: usize,
    /// How many it does not apply to.
    pub not_applicable: usize,
    /// The others, by bom-ref.
    pub missing: Vec<Missing>,
}

/// One place where an element is missing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// The component's bom-ref, or its name where it has none; nothing where the document itself misses it.
    pub component: Option<String>,
    /// Why, as far as the document tells.
    pub why: String,
}

impl Report {
    /// Whether a list's required elements are all there.
    #[must_use]
    pub fn complete(&self, standard: Standard) -> bool {
        self.rows.iter().all(|row| row.standard != standard || !row.required || row.missing.is_empty())
    }

    /// A table for people: a heading for each list, a line for each element, below it the reasons with an example and
    /// a count, most frequent first. At most `reasons` reasons for an element.
    #[must_use]
    pub fn lines(&self, reasons: usize) -> Vec<String> {
        let width = self.rows.iter().map(|row| row.element.len()).max().unwrap_or(0);
        let mut lines = Vec::new();
        for standard in Standard::ALL {
            let verdict = if self.complete(standard) { "nothing required is missing" } else { "incomplete" };
            lines.push(format!("{}: {verdict}", standard.name()));
            for row in self.rows.iter().filter(|row| row.standard == standard) {
                lines.push(row.line(width));
                lines.extend(row.reasons(reasons));
            }
        }
        lines
    }
}

impl Row {
    fn line(&self, width: usize) -> String {
        let of = self.present + self.missing.len();
        let outcome = match (self.missing.len(), self.required) {
            (0, _) if of == 0 => "does not apply".to_owned(),
            (0, _) => format!("{of} of {of}"),
            (_, true) => format!("{} of {of}   missing", self.present),
            (_, false) => format!("{} of {of}   not known", self.present),
        };
        format!("  {:width$}  {outcome}", self.element)
    }

    fn reasons(&self, limit: usize) -> Vec<String> {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for missing in &self.missing {
            by_reason.entry(&missing.why).or_default().push(missing.component.as_deref().unwrap_or("the document"));
        }
        let mut reasons: Vec<_> = by_reason.into_iter().collect();
        reasons.sort_by_key(|(why, components)| (usize::MAX - components.len(), *why));
        let more = reasons.len().saturating_sub(limit);
        let example = |(why, components): &(&str, Vec<&str>)| {
            let first = components.first().map_or("", |first| first).escape_debug().to_string();
            let others = match components.len() - 1 {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            format!("    {first}{others}: {why}")
        };
        let mut lines: Vec<String> = reasons.iter().take(limit).map(example).collect();
        if more > 0 {
            lines.push(format!("    and {more} more reasons"));
        }
        lines
    }
}

/// Holds a document against the three lists. What is not CycloneDX misses everything; nothing here can fail.
///
/// Build inputs (`formulation`) are not judged: the lists speak of what is delivered.
#[must_use]
pub fn check(document: &Value) -> Report {
    let document = Document::of(document);
    let components: Vec<Component<'_>> = document.components();
    let rows = ELEMENTS.iter().map(|element| {
        let outcomes: Vec<(Option<String>, Outcome)> = match element.scope {
            Scope::Document(test) => vec![(None, test(&document))],
            Scope::Component(test) => components
                .iter()
                .map(|component| (Some(component.reference().to_owned()), test(component, &document)))
                .collect(),
        };
        let mut row = Row {
            standard: element.standard,
            element: element.name,
            required: element.required,
            present: 0,
            not_applicable: 0,
            missing: Vec::new(),
        };
        for (component, outcome) in outcomes {
            match outcome {
                Outcome::Present => row.present += 1,
                Outcome::NotApplicable => row.not_applicable += 1,
                Outcome::Missing(why) => row.missing.push(Missing { component, why }),
            }
        }
        row.missing.sort_by(|a, b| (&a.component, &a.why).cmp(&(&b.component, &b.why)));
        row
    });
    Report { rows: rows.collect() }
}

/// All strings below a pointer that is an array of strings.
fn strings<'a>(value: &'a Value, pointer: &str) -> BTreeSet<&'a str> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
