//! A trust file in the words of other verifiers, as far as they have words for it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use selfsame_attest::builder_id;
use selfsame_core::{Day, uri};
use selfsame_log::{RootAuthority, RootLog, trusted_root};
use selfsame_timestamp::Certificate;

use super::TrustFile;
use super::{Trust, TrustedKey};

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// The key file of `cosign verify --key`.
    Cosign,
    /// A `ClusterPolicy` of Kyverno.
    Kyverno,
    /// A `ClusterImagePolicy` of Sigstore's policy-controller.
    PolicyController,
}

/// What was written, and what it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// PEM or YAML.
    pub text: String,
    /// What of the trust is not in it, one sentence each.
    pub lost: Vec<String>,
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// No key counts on that day for what a release signs.
    #[error("no key of the trust file is in use on {at} and may sign an image")]
    Nobody {
        /// The day.
        at: Day,
    },
    /// The format holds one key.
    #[error("cosign reads one key, and {} are in use: {}", names.len(), names.join(", "))]
    Several {
        /// Their names.
        names: Vec<String>,
    },
    /// A trusted root is of logs and authorities.
    #[error("the trust file names no log and no time stamp authority, which is what a trusted root holds")]
    NothingSeen,
    /// It would allow what the trust forbids.
    #[error("{format} does not count who holds the keys, and the trust file asks for {wanted} identities")]
    Threshold {
        /// The format.
        format: &'static str,
        /// How many.
        wanted: usize,
    },
}

impl TrustFile {
    /// The `trusted_root.json` of Sigstore's own verifiers: logs and time stamp authorities with their days, and no key.
    ///
    /// # Errors
    /// The file names neither.
    pub fn trusted_root(&self) -> Result<Exported, ExportError> {
        let logs = self.logs.iter().map(|it| RootLog { key: &it.key, from: it.from, until: it.until });
        let authorities = self.authorities.iter().map(|it| RootAuthority {
            name: &it.name,
            certificates: it.authority.certificates().iter().map(Certificate::to_der).collect(),
            from: it.from,
            until: it.until,
        });
        let (logs, authorities): (Vec<_>, Vec<_>) = (logs.collect(), authorities.collect());
        if logs.is_empty() && authorities.is_empty() {
            return Err(ExportError::NothingSeen);
        }
        let mut lost = vec!["no key is in it: Sigstore's verifiers are given the public key beside it".to_owned()];
        if !self.witnesses.is_empty() {
            lost.push("the word of the witnesses of a log is not asked for".to_owned());
        }
        let text = String::from_utf8_lossy(&trusted_root(&logs, &authorities)).into_owned();
        Ok(Exported { text, lost })
    }

    /// This trust on a day for another verifier. `images` is a pattern in its words; `only` names one key.
    ///
    /// # Errors
    /// Nothing would be left of the trust, or less than it asks for.
    pub fn export(&self, format: Export, at: Day, images: &str, only: Option<&str>) -> Result<Exported, ExportError> {
        let trust = self.at(at, "");
        let wanted = |key: &&TrustedKey| {
            key.standing.word() == "active" && signs_releases(key) && only.is_none_or(|name| key.name == name)
        };
        let keys: Vec<&TrustedKey> = trust.keys().iter().filter(wanted).collect();
        if keys.is_empty() {
            return Err(ExportError::Nobody { at });
        }
        let wanted = self.release_threshold;
        let identities: BTreeSet<&str> = keys.iter().map(|key| key.identity.as_str()).collect();
        // Kyverno counts keys: that is who holds them where each is held by another.
        let counts = format == Export::Kyverno && identities.len() == keys.len() && identities.len() >= wanted;
        if wanted > 1 && !counts {
            let format = match format {
                Export::Cosign => "cosign",
                Export::Kyverno => "Kyverno",
                Export::PolicyController => "policy-controller",
            };
            return Err(ExportError::Threshold { format, wanted });
        }
        let text = match format {
            Export::Cosign => cosign(&keys)?,
            Export::Kyverno => kyverno(&keys, self.release_threshold, images),
            Export::PolicyController => policy_controller(&keys, images),
        };
        Ok(Exported { text, lost: self.lost(format, at, &trust, &keys) })
    }

    /// What the others have no words for.
    fn lost(&self, format: Export, at: Day, trust: &Trust, keys: &[&TrustedKey]) -> Vec<String> {
        let mut lost = vec![format!(
            "it is what the file trusts on {at}: days that keys begin and end on are not in it, so it has to be made anew"
        )];
        for key in trust.keys().iter().filter(|key| !keys.iter().any(|kept| kept.name == key.name)) {
            let why = match key.standing.word() {
                "active" if !signs_releases(key) => "may sign no release",
                "active" => "not asked for",
                word => word,
            };
            lost.push(format!("`{}` is not in it ({why})", key.name));
        }
        let logs: Vec<&str> = self.logs.iter().map(|log| log.key.origin()).collect();
        if !logs.is_empty() {
            lost.push(format!("an entry in a transparency log is not asked for: {}", logs.join(", ")));
        }
        if self.witness_threshold > 0 {
            lost.push(format!("the word of {} witnesses of a log is not asked for", self.witness_threshold));
        }
        if format == Export::Kyverno && keys.iter().any(|key| builders(key) != builders(keys[0])) {
            lost.push("each of the keys may name the builders of the others".to_owned());
        }
        if self.rebuild_threshold > 0 || self.minimum_level.is_some() || !self.floors.is_empty() {
            lost.push("rebuilds, the least level and the least versions are not asked for".to_owned());
        }
        if format == Export::Cosign {
            lost.push("builders and predicate types are not asked for".to_owned());
        }
        lost.push("nothing but signatures is checked: no inventory, no parameters, no content".to_owned());
        lost
    }
}

/// Whether a key may sign what a release is made of, and speaks for a builder.
fn signs_releases(key: &TrustedKey) -> bool {
    let kinds = [uri::PROVENANCE, uri::CYCLONEDX, uri::COSIGN_SIGN, uri::INVENTORY];
    kinds.into_iter().all(|kind| key.may_sign(kind)) && !builders(key).is_empty()
}

/// A key without the builder's line, which others do not read.
fn pem(key: &TrustedKey) -> String {
    key.key.clone().with_builder_id(None).map_or_else(|_| String::new(), |key| key.to_pem())
}

fn cosign(keys: &[&TrustedKey]) -> Result<String, ExportError> {
    match keys {
        [key] => Ok(pem(key)),
        keys => Err(ExportError::Several { names: keys.iter().map(|key| key.name.clone()).collect() }),
    }
}

/// The builders that a key may speak for without a relaxation.
fn builders(key: &TrustedKey) -> Vec<String> {
    match &key.builder_ids {
        Some(ids) => ids.clone(),
        None => vec![builder_id(key.key.declared_builder_id(), false)],
    }
}

/// A string of YAML, in double quotes as JSON has it: YAML 1.2 reads every JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Lines of a block, moved to the right.
fn indented(text: &str, spaces: usize) -> String {
    let margin = " ".repeat(spaces);
    text.lines().map(|line| format!("{margin}{line}\n")).collect()
}

fn kyverno(keys: &[&TrustedKey], count: usize, images: &str) -> String {
    let mut text = String::from(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata:\n  name: selfsame-releases\nspec:\n  background: false\n  \
         webhookTimeoutSeconds: 30\n  failurePolicy: Fail\n  rules:\n    - name: signed-releases\n      match:\n        any:\n          \
         - resources:\n              kinds:\n                - Pod\n      verifyImages:\n        - type: SigstoreBundle\n          \
         failureAction: Enforce\n          required: true\n          mutateDigest: true\n          verifyDigest: true\n",
    );
    let _ = writeln!(text, "          imageReferences:\n            - {}\n          attestations:", quoted(images));
    for kind in [uri::PROVENANCE, uri::CYCLONEDX] {
        let _ = writeln!(
            text,
            "            - type: {kind}\n              attestors:\n                - count: {count}\n                  entries:"
        );
        for key in keys.iter().filter(|key| key.may_sign(kind)) {
            let _ = write!(
                text,
                "                    - keys:\n                        publicKeys: |-\n{}                        rekor:\n                          \
                 ignoreTlog: true\n                        ctlog:\n                          ignoreSCT: true\n",
                indented(&pem(key), 26)
            );
        }
        if kind == uri::PROVENANCE {
            let ids: Vec<String> = keys.iter().flat_map(|key| builders(key)).map(|id| quoted(&id)).collect();
            let _ = writeln!(
                text,
                "              conditions:\n                - all:\n                    - key: \"{{{{ runDetails.builder.id }}}}\"\n                      \
                 operator: AnyIn\n                      value: [{}]",
                ids.join(", ")
            );
        }
    }
    text
}

fn policy_controller(keys: &[&TrustedKey], images: &str) -> String {
    let mut text = String::from(
        "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata:\n  name: selfsame-releases\nspec:\n  images:\n",
    );
    let _ = writeln!(text, "    - glob: {}\n  authorities:", quoted(images));
    for (number, key) in keys.iter().enumerate() {
        let _ = write!(
            text,
            "    - name: key-{number}\n      signatureFormat: bundle\n      key:\n        hashAlgorithm: sha256\n        data: |-\n{}      \
             attestations:\n",
            indented(&pem(key), 10)
        );
        for (name, kind) in [("provenance", uri::PROVENANCE), ("sbom", uri::CYCLONEDX)] {
            let _ = writeln!(text, "        - name: {name}\n          predicateType: {kind}");
            if kind == uri::PROVENANCE {
                let ids: Vec<String> = builders(key).iter().map(|id| quoted(id)).collect();
                let _ = writeln!(
                    text,
                    "          policy:\n            type: cue\n            data: |\n              predicate: runDetails: builder: id: {}",
                    ids.join(" | ")
                );
            }
        }
    }
    text
}
