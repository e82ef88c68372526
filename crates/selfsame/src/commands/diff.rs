//! `selfsame diff`: why two images differ, or the images of each platform.

use std::path::Path;

use selfsame_core::Platform;
use selfsame_diff::{Explanation, ImageView as _, Known, Limits};
use selfsame_oci::same_platform;
use serde_json::{Value, json};

use super::image;
use crate::cli::Diff;
use crate::report::{Answer, Exit, Report, printable, with_schema};
use crate::settings::Settings;
use crate::terminal;

/// Two images that belong together, or one that has no counterpart.
struct Pair {
    /// Where a side is for several.
    platform: Option<Platform>,
    found: Found,
}

enum Found {
    Both(Explanation),
    OnlyLeft,
    OnlyRight,
}

impl Pair {
    fn is_equal(&self) -> bool {
        matches!(&self.found, Found::Both(explanation) if explanation.equal)
    }
}

pub(super) fn run(arguments: &Diff, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let pairs = pairs(arguments)?;
    let equal = pairs.iter().all(Pair::is_equal);
    let class = if equal { "same" } else { "differs" };
    if arguments.json {
        let body = match &pairs[..] {
            [Pair { platform: None, found: Found::Both(explanation) }] => {
                json!({"class": class, "explanation": explanation})
            }
            pairs => json!({"class": class, "platforms": pairs.iter().map(in_json).collect::<serde_json::Map<_, _>>()}),
        };
        terminal::data(&with_schema("https://selfsame.dev/diff/v1", &body));
    } else if equal {
        terminal::data(match &pairs[..] {
            [Pair { platform: None, .. }] => "same: the images are equal",
            _ => "same: the images of each platform are equal",
        });
    } else {
        terminal::data("differs");
        pairs.iter().for_each(|pair| show(pair, arguments));
    }
    Ok(if equal { Exit::Yes } else { Exit::No })
}

fn in_json(pair: &Pair) -> (String, Value) {
    let (explanation, only) = match &pair.found {
        Found::Both(explanation) => (Some(explanation), None),
        Found::OnlyLeft => (None, Some("left")),
        Found::OnlyRight => (None, Some("right")),
    };
    let class = if pair.is_equal() { "same" } else { "differs" };
    let name = pair.platform.as_ref().map(ToString::to_string).unwrap_or_default();
    (name, json!({"class": class, "explanation": explanation, "only": only}))
}

fn show(pair: &Pair, arguments: &Diff) {
    let (a, b) = (arguments.left.display().to_string(), arguments.right.display().to_string());
    let of = |text: &str| {
        if let Some(platform) = &pair.platform {
            terminal::data(&printable(&format!("  {platform}: {text}")));
        }
    };
    match &pair.found {
        Found::OnlyLeft => of(&format!("only in {a}")),
        Found::OnlyRight => of(&format!("only in {b}")),
        Found::Both(explanation) if explanation.equal => of("the images are equal"),
        Found::Both(explanation) => {
            of("the images differ");
            for line in selfsame_diff::lines(explanation, &a, &b) {
                terminal::data(&printable(&line));
            }
        }
    }
}

/// What is compared with what: one platform, if that is asked for; else of two images for several the ones for the same
/// platform; and one image with the one for its own platform.
fn pairs(arguments: &Diff) -> Answer<Vec<Pair>> {
    let (left, right) = (&arguments.left, &arguments.right);
    let (of_left, of_right) = (image::platforms(left)?, image::platforms(right)?);
    if let Some(platform) = &arguments.platform {
        for (path, platforms) in [(left, &of_left), (right, &of_right)] {
            if platforms.is_empty() && !is_for(path, platform)? {
                let fault = format!("`{}` is an image for another platform than {platform}", path.display());
                return Err(Report::new(Exit::Unanswered, fault).into());
            }
        }
        return Ok(vec![both(left, right, Some(platform))?]);
    }
    let own = |one: &Path, several: &[Platform]| -> Answer<Option<Platform>> {
        let config = image::open(one)?;
        let platform = platform_of(config.config());
        Ok(several.iter().find(|there| platform.as_ref().is_some_and(|own| same_platform(there, own))).cloned())
    };
    let stranger = |path: &Path| {
        let fault = format!("`{}` is for one platform, and the other image has none for it", path.display());
        Report::new(Exit::Unanswered, fault)
    };
    match (of_left.is_empty(), of_right.is_empty()) {
        (true, true) => Ok(vec![both(left, right, None)?]),
        (true, false) => {
            let platform = own(left, &of_right)?.ok_or_else(|| stranger(left))?;
            Ok(vec![both(left, right, Some(&platform))?])
        }
        (false, true) => {
            let platform = own(right, &of_left)?.ok_or_else(|| stranger(right))?;
            Ok(vec![both(left, right, Some(&platform))?])
        }
        (false, false) => {
            let mut pairs = Vec::new();
            for platform in &of_left {
                pairs.push(match of_right.iter().any(|there| same_platform(there, platform)) {
                    true => both(left, right, Some(platform))?,
                    false => Pair { platform: Some(platform.clone()), found: Found::OnlyLeft },
                });
            }
            let new = of_right.iter().filter(|there| !of_left.iter().any(|known| same_platform(known, there)));
            pairs.extend(new.map(|platform| Pair { platform: Some(platform.clone()), found: Found::OnlyRight }));
            Ok(pairs)
        }
    }
}

fn both(left: &Path, right: &Path, platform: Option<&Platform>) -> Answer<Pair> {
    let (left, right) = (image::open_for(left, platform)?, image::open_for(right, platform)?);
    let explanation = selfsame_diff::explain(&left, &right, &Known::default(), &Limits::STANDARD)
        .map_err(|error| Report::new(Exit::Unanswered, format!("the images cannot be compared: {error}")))?;
    Ok(Pair { platform: platform.cloned(), found: Found::Both(explanation) })
}

fn is_for(path: &Path, platform: &Platform) -> Answer<bool> {
    Ok(platform_of(image::open(path)?.config()).is_some_and(|own| same_platform(&own, platform)))
}

/// What a config says that it is for.
fn platform_of(config: &Value) -> Option<Platform> {
    let text = |field: &str| config.get(field).and_then(Value::as_str);
    let variant = text("variant").filter(|variant| !variant.is_empty());
    let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("{}/{}{variant}", text("os")?, text("architecture")?).parse().ok()
}
