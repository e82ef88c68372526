//! `selfsame help TOPIC`: what a person wants to know before reading the documentation.

use clap::CommandFactory as _;

use crate::cli::{Cli, Help};
use crate::report::{Answer, Exit, Report};
use crate::terminal;

/// Topics by name.
const TOPICS: [(&str, &str); 10] = [
    ("release", include_str!("help/release.txt")),
    ("verdicts", include_str!("help/verdicts.txt")),
    ("keys", include_str!("help/keys.txt")),
    ("levels", include_str!("help/levels.txt")),
    ("definition", include_str!("help/definition.txt")),
    ("lock", include_str!("help/lock.txt")),
    ("origins", include_str!("help/origins.txt")),
    ("registries", include_str!("help/registries.txt")),
    ("shared-store", include_str!("help/shared-store.txt")),
    ("capsules", include_str!("help/capsules.txt")),
];

pub(super) fn run(arguments: &Help) -> Answer {
    let mut command = Cli::command();
    command.build();
    if arguments.topic.is_empty() {
        terminal::data(&command.render_long_help().to_string());
        return Ok(Exit::Yes);
    }
    // `selfsame help shared store`, and words in their other number.
    let asked = arguments.topic.join("-");
    let named = match asked.as_str() {
        "origin" | "mirrors" => "origins",
        "registry" => "registries",
        "shared" => "shared-store",
        other => other,
    };
    if let Some((_, text)) = TOPICS.iter().find(|(name, _)| *name == named) {
        terminal::data(text);
        return Ok(Exit::Yes);
    }
    let mut found = &mut command;
    for word in &arguments.topic {
        let known: Vec<String> = found.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        let Some(sub) = found.find_subcommand_mut(word) else {
            let topics = TOPICS.iter().map(|(name, _)| (*name).to_owned()).chain(known);
            let topics: Vec<String> = topics.collect();
            let mut report =
                Report::new(Exit::Unanswered, format!("there is no topic `{word}`")).fact("topics", topics.join(", "));
            if let Some(near) = selfsame_core::suggest::nearest(word, topics.iter().map(String::as_str)) {
                report = report.hint(format!("selfsame help {near}"));
            }
            return Err(report.into());
        };
        found = sub;
    }
    terminal::data(&found.render_long_help().to_string());
    Ok(Exit::Yes)
}
