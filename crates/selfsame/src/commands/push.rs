//! `selfsame push`: a release to a registry, its tag last.

use std::path::Path;

use selfsame_publish::{CosignSignature, Outline, Push as Pushing, Pushed, cosign_payload};
use selfsame_registry::{Reference, Target};
use serde_json::{Value, json};

use crate::cli::Push;
use crate::keys::{self, Key};
use crate::network::Network;
use crate::prepare;
use crate::remote::{self, Moving};
use crate::report::{Answer, Exit, Report, with_schema};
use crate::settings::Settings;
use crate::terminal::{self, Voice};

pub(super) fn run(arguments: &Push, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let (reference, target) = remote::reference_to_push(&arguments.reference)?;
    let key = match (&arguments.key, arguments.cosign_signatures) {
        (Some(key), true) => Some(keys::signer(key, false)?),
        _ => None,
    };
    let network = Network::of(settings, Some(&cancel))?;
    let push = ReleasePush {
        release: &arguments.release,
        with_capsule: arguments.with_capsule,
        key: key.as_ref(),
        network: &network,
    };
    let (outline, pushed) = push.to(&reference, &target, settings, &voice)?;
    if arguments.json {
        let body = body(&outline, &pushed, &reference);
        terminal::data(&with_schema("https://selfsame.dev/pushed/v1", &body));
    } else {
        terminal::data(&remote::by_digest(&reference, pushed.image));
        terminal::talk(&format!("\ntry:\n  selfsame verify {} --key KEY.pub", by_tag(&reference)));
    }
    Ok(Exit::Yes)
}

/// A release that is to be pushed.
pub(super) struct ReleasePush<'a> {
    pub(super) release: &'a Path,
    pub(super) with_capsule: bool,
    /// For a signature in cosign's older form.
    pub(super) key: Option<&'a Key>,
    pub(super) network: &'a Network,
}

impl ReleasePush<'_> {
    pub(super) fn to(
        &self,
        reference: &Reference,
        target: &Target,
        settings: &Settings,
        voice: &Voice,
    ) -> Answer<(Outline, Pushed)> {
        let shown = self.release.display().to_string();
        let files = crate::files::open(self.release)?;
        let nothing = |mut report: Box<Report>| {
            report.consequence = Some("Nothing was pushed.".to_owned());
            report
        };
        let outline = Outline::read(files.as_ref()).map_err(|error| nothing(remote::outline(&error, &shown)))?;
        if let Some(asked) = reference.digest.filter(|asked| *asked != outline.subject.descriptor.digest) {
            let found = outline.subject.descriptor.digest;
            let error = selfsame_publish::PublishError::OtherImage { asked, found };
            return Err(nothing(remote::fault(error, &reference.to_string())));
        }
        let cosign = self.key.map(|key| signature(key, &outline, reference)).transpose()?;
        let registry = self.network.registry()?;
        let repository = registry.to_push(reference).map_err(remote::registry)?;
        let store = prepare::store(settings)?;
        let progress = Moving::new("push", voice);
        let push = Pushing {
            outline: &outline,
            files: files.as_ref(),
            folder: self.release.is_dir().then_some(self.release),
            store: &store,
            with_capsule: self.with_capsule,
            cosign,
            progress: &progress,
        };
        let pushed = selfsame_publish::push(&push, &repository, target).map_err(|error| {
            let mut report = remote::fault(error, &shown);
            report.consequence = Some(match target {
                Target::Tag(tag) => format!("The tag `{tag}` is as it was."),
                Target::Digest(_) => "The release is not complete there.".to_owned(),
            });
            report
        })?;
        voice.say("pushed", &progress.ended(&by_tag(reference)));
        if let Some(replaced) = pushed.replaced {
            voice.say("replaced", &remote::by_digest(reference, replaced));
        }
        Ok((outline, pushed))
    }
}

/// As it was written, without the digest that it was held to.
fn by_tag(reference: &Reference) -> String {
    match &reference.tag {
        Some(tag) => reference.with(&Target::Tag(tag.clone())).to_string(),
        None => reference.to_string(),
    }
}

/// A signature over the image's name and digest, by the key that signed the release.
fn signature(key: &Key, outline: &Outline, reference: &Reference) -> Answer<CosignSignature> {
    let signing = |error: selfsame_attest::SignError| Report::new(Exit::Unanswered, error.to_string());
    let public = key.signer.public_key().map_err(signing)?;
    if public.key_id() != outline.key_id {
        let report = Report::new(Exit::Unanswered, "the key is not the one that signed the release")
            .fact("release", &outline.key_id)
            .fact("key", public.key_id())
            .consequence("Nothing was pushed.");
        return Err(report.into());
    }
    let host = reference.host.as_ref().map(ToString::to_string).unwrap_or_default();
    let payload = cosign_payload(outline.subject.descriptor.digest, &format!("{host}/{}", reference.repository));
    let signature = key.signer.sign(&payload).map_err(signing)?;
    if public.verify(&payload, &signature).is_err() {
        return Err(
            Report::new(Exit::Unanswered, "the signer gave a signature that its own key does not verify").into()
        );
    }
    Ok(CosignSignature { payload, signature })
}

/// What was pushed, for programs.
pub(super) fn body(outline: &Outline, pushed: &Pushed, reference: &Reference) -> Value {
    json!({
        "class": "pushed",
        "image": pushed.image,
        "name": outline.name,
        "present": { "blobs": pushed.present.0, "bytes": pushed.present.1 },
        "reference": by_tag(reference),
        "referrers": pushed.referrers,
        "releaseId": outline.release_id,
        "replaced": pushed.replaced,
        "sent": { "blobs": pushed.sent.0, "bytes": pushed.sent.1 },
    })
}
