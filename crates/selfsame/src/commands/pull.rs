//! `selfsame pull`: a release out of a registry into a folder, whole or not at all.

use selfsame_store::{Replace, Staging};
use serde_json::json;

use super::errors;
use crate::cli::Pull;
use crate::network::Network;
use crate::remote;
use crate::report::{Answer, Exit, Report, with_schema};
use crate::settings::Settings;
use crate::terminal::{self, Voice};

pub(super) fn run(arguments: &Pull, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let reference = remote::reference(&arguments.reference)?;
    let output = settings.folder.join(&arguments.output);
    if output.symlink_metadata().is_ok() {
        return Err(Report::new(Exit::Unanswered, format!("there is something at `{}`", output.display()))
            .consequence("Nothing was fetched.")
            .hint("choose another place with `-o DIR`, or move what is there away")
            .into());
    }
    let staging = Staging::beside(&output).map_err(errors::publish)?;
    let network = Network::of(settings, Some(&cancel))?;
    let pulled = remote::pull(&reference, true, arguments.with_capsule, None, &network, settings, &voice)?;
    let folder = staging.create_dir().map_err(errors::publish)?;
    pulled.files.write(&folder).map_err(|(name, error)| {
        Report::new(Exit::Unanswered, format!("cannot write `{name}` of the release: {error}"))
            .consequence("Nothing was published.")
    })?;
    staging.publish(Replace::Never).map_err(errors::publish)?;

    let outline = &pulled.outline;
    let image = outline.subject.descriptor.digest;
    if arguments.json {
        let body = json!({
            "capsules": outline.capsules.len(),
            "class": "pulled",
            "image": image,
            "name": outline.name,
            "reference": reference.to_string(),
            "release": output.display().to_string(),
            "releaseId": outline.release_id,
        });
        terminal::data(&with_schema("https://selfsame.dev/pulled/v1", &body));
        return Ok(Exit::Yes);
    }
    terminal::data(&remote::by_digest(&reference, image));
    if !pulled.capsules.is_empty() && !arguments.with_capsule {
        voice.say("left", "its inputs: `--with-capsule` fetches them, for a rebuild");
    }
    let shown = errors::quoted(&arguments.output);
    terminal::talk(&format!("\nNobody has vouched for it yet. Offline:\n  selfsame verify {shown} --key KEY.pub"));
    Ok(Exit::Yes)
}
