//! What was found, in sentences.

use super::html::Piece;
use crate::joined::JoinedVerdict;
use crate::one_file::FileVerdict;
use crate::options::Depth;
use crate::verdict::{Class, Verdict};
use crate::verified::Evidence;

/// What no verdict of this program says, whatever it found.
pub(super) const NEVER: &str = "Whether the build gives the same image again was not tried here. No verdict looks at what the software does or whether it has known faults, and none says that the builder is honest or that \
    there is no newer release.";

const UNBELIEVED: &str = "Nothing that the release says of itself is to be believed on the strength of this page, and it should not be used.";

/// Words, and values in between.
pub(super) struct Sentence(Vec<(bool, String)>);

impl Sentence {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn words(mut self, text: &str) -> Self {
        self.0.push((false, text.to_owned()));
        self
    }

    fn value(mut self, text: impl Into<String>) -> Self {
        self.0.push((true, text.into()));
        self
    }

    pub(super) fn pieces(&self) -> Vec<Piece<'_>> {
        self.0.iter().map(|(value, text)| if *value { Piece::Value(text) } else { Piece::Words(text) }).collect()
    }
}

/// Of a release of one platform.
pub(super) fn of_release(verdict: &Verdict) -> Vec<Sentence> {
    let Some(evidence) = verdict.evidence.as_deref().filter(|_| verdict.is_verified()) else {
        return vec![not_verified(verdict.class)];
    };
    vec![signed(evidence), looked(verdict.depth), built(evidence), tried(evidence), not_rebuilt()]
}

/// Of a release for several platforms.
pub(super) fn of_joined(verdict: &JoinedVerdict, depth: Depth) -> Vec<Sentence> {
    let Some(joining) = verdict.joining.as_deref().filter(|_| verdict.class() == Class::Verified) else {
        return vec![not_verified(verdict.class())];
    };
    let all = verdict.parts.len().to_string();
    let signed = Sentence::new()
        .words("This release, ")
        .value(verdict.name.clone())
        .words(", is what the key ")
        .value(joining.signer.key_id())
        .words(&format!(" signed: one index of images for {all} platforms, each of which is judged below by itself."));
    vec![signed, looked(depth), not_rebuilt()]
}

/// Of one file.
pub(super) fn of_file(verdict: &FileVerdict, predicate_type: &str) -> Vec<Sentence> {
    let Some(key) = verdict.key_id.clone().filter(|_| verdict.class == Class::Verified) else {
        return vec![not_verified(verdict.class)];
    };
    let signed = Sentence::new()
        .words("The key ")
        .value(key)
        .words(" signed a statement of the type ")
        .value(predicate_type)
        .words(" about exactly this file.");
    let alone = "This is one statement and no release: nothing says that others about the file are not missing.";
    vec![signed, Sentence::new().words(alone), not_rebuilt()]
}

/// What is said of a platform that is one of several.
pub(super) fn answer_of_part(class: Class) -> &'static str {
    match class {
        Class::Verified => "Verified.",
        Class::NotVerified => "Not verified.",
        Class::Unanswered => "Not answered.",
    }
}

fn not_verified(class: Class) -> Sentence {
    let why = match class {
        Class::Unanswered => {
            "The question could not be answered: something that it needs was not given or could not be read. "
        }
        _ => "At least one check failed. ",
    };
    Sentence::new().words(why).words(UNBELIEVED)
}

fn signed(evidence: &Evidence) -> Sentence {
    let sentence = Sentence::new().words("This release is what the key ").value(evidence.signer.key_id());
    let sentence = sentence.words(" signed: ").value(parameter(evidence, "name")).words(" ");
    let sentence = sentence.value(parameter(evidence, "version")).words(" for ");
    let sentence = sentence.value(parameter(evidence, "platform")).words(", by the builder ");
    sentence.value(evidence.provenance.run_details.builder.id.clone()).words(", for which the key may speak.")
}

fn looked(depth: Depth) -> Sentence {
    Sentence::new().words(match depth {
        Depth::Evidence => "Only manifests and signed documents were looked at: the layers of the image were not read.",
        Depth::Blobs => "Every file was held against its digest: what is in the layers was not looked at.",
        Depth::Content => {
            "It was looked at down to every file in its layers: they hold the files that the SBOM names, and no other."
        }
    })
}

fn built(evidence: &Evidence) -> Sentence {
    let source = evidence.provenance.build_definition.external_parameters.get("source");
    let uri = source.and_then(|source| source.get("uri")?.as_str()).filter(|uri| !uri.starts_with("selfsame:"));
    let commit = source.and_then(|source| source.get("digest")?.get("gitCommit")?.as_str());
    let inputs = evidence.provenance.build_definition.resolved_dependencies.len();
    let mut sentence = Sentence::new().words("Its provenance says that it was built from ");
    sentence = match uri {
        Some(uri) => sentence.value(uri),
        None => sentence.words("a folder of files"),
    };
    if let Some(commit) = commit {
        sentence = sentence.words(" of the commit ").value(commit);
    }
    sentence.words(&format!(", out of {inputs} inputs that are each named by a digest."))
}

fn tried(evidence: &Evidence) -> Sentence {
    if evidence.inventory.checked {
        return Sentence::new().words(
            "The signer says that every action of the build ran twice, with equal output, before anything was signed.",
        );
    }
    Sentence::new()
        .words("The signer says that the build was not tried a second time before it was signed: ")
        .value(evidence.inventory.not_checked_because.clone())
        .words(".")
}

fn not_rebuilt() -> Sentence {
    Sentence::new()
        .words("It was not rebuilt here: that is another question than whether its signature and documents hold.")
}

/// A signed parameter of the build.
pub(super) fn parameter(evidence: &Evidence, name: &str) -> String {
    let value = evidence.provenance.build_definition.external_parameters.get(name);
    value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}
