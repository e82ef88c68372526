//! `selfsame diff`: why two images differ.

use serde_json::json;

use selfsame_diff::{Known, Limits};

use super::image;
use crate::cli::Diff;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::settings::Settings;
use crate::terminal;

pub(super) fn run(arguments: &Diff, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let (left, right) = (image::open(&arguments.left)?, image::open(&arguments.right)?);
    let explanation = selfsame_diff::explain(&left, &right, &Known::default(), &Limits::STANDARD)
        .map_err(|error| Report::new(Exit::Unanswered, format!("the images cannot be compared: {error}")))?;
    let class = if explanation.equal { "same" } else { "differs" };
    if arguments.json {
        let body = json!({"class": class, "explanation": explanation});
        terminal::data(&with_schema("https://selfsame.dev/diff/v1", &body));
    } else if explanation.equal {
        terminal::data("same: the images are equal");
    } else {
        let (a, b) = (arguments.left.display().to_string(), arguments.right.display().to_string());
        terminal::data("differs");
        for line in selfsame_diff::lines(&explanation, &a, &b) {
            terminal::data(&printable(&line));
        }
    }
    Ok(if explanation.equal { Exit::Yes } else { Exit::No })
}
