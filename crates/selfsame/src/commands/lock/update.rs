//! Which inputs are chosen anew, and what moved beside them.

use std::collections::BTreeSet;

use selfsame_core::suggest::nearest;
use selfsame_definition::{Base, Definition, InputSpec, Name, PypiFrom};
use selfsame_lock::{Change, LockDiff};

use crate::report::{Answer, Exit, Report};

/// The inputs that `--update` and `--all` name. `base` is what the image stands on, unless an input has that name.
pub(super) fn names(definition: &Definition, update: &[String], all: bool) -> Answer<BTreeSet<Name>> {
    let wanted = selfsame_lock::wanted(definition).map_err(|error| Report::new(Exit::Unanswered, error.to_string()))?;
    let mut names: BTreeSet<Name> = BTreeSet::new();
    if all {
        names.extend(wanted.keys().cloned());
    }
    for name in update {
        if let Some((name, _)) = wanted.get_key_value(name.as_str()) {
            names.insert(name.clone());
            continue;
        }
        if let Some(spec) = definition.input(name)
            && let Some(pins) = spec.pins()
        {
            let fault = format!("input `{name}` is pinned by `{pins}` of the source, not by selfsame.lock");
            let report = Report::new(Exit::Unanswered, fault).consequence("Nothing was changed.");
            return Err(report.hint(format!("update it there: `{}`", tool(spec))).into());
        }
        if name == "base" {
            match &definition.image.base {
                Base::Input(base) => {
                    names.insert(base.clone());
                    continue;
                }
                Base::Scratch => {
                    let report = Report::new(Exit::Unanswered, "the image stands on nothing: its base is `scratch`");
                    return Err(report.consequence("Nothing was changed.").into());
                }
            }
        }
        let mut report = Report::new(Exit::Unanswered, format!("no locked input is called `{name}`"));
        report = report.consequence("Nothing was changed.");
        if let Some(near) = nearest(name, wanted.keys().map(Name::as_str)) {
            report = report.hint(format!("did you mean `{near}`?"));
        } else if !wanted.is_empty() {
            let known: Vec<&str> = wanted.keys().map(Name::as_str).collect();
            report = report.hint(format!("these are: {}", known.join(", ")));
        }
        return Err(report.into());
    }
    Ok(names)
}

/// The command of an ecosystem that moves its own pins.
pub(super) fn tool(spec: &InputSpec) -> &'static str {
    match spec {
        InputSpec::Npm(_) => "npm update --package-lock-only",
        InputSpec::Go(_) => "go get -u ./... && go mod tidy",
        InputSpec::Pypi(pypi) => match &pypi.from {
            PypiFrom::Pins(path) if path.as_str().ends_with("uv.lock") => "uv lock --upgrade",
            _ => "uv pip compile --generate-hashes --upgrade requirements.in -o requirements.txt",
        },
        _ => "selfsame lock --update NAME",
    }
}

/// What changed although nobody named it: because the definition asks for something else than was locked.
pub(super) fn also_moved(diff: &LockDiff, anew: &BTreeSet<Name>, had_lock: bool) -> Vec<String> {
    if anew.is_empty() || !had_lock {
        return Vec::new();
    }
    let others = diff.inputs.iter().filter(|(name, input)| {
        !anew.contains(*name) && matches!(input.change(), Change::Added | Change::Changed | Change::Removed)
    });
    others
        .map(|(name, input)| {
            format!("also {}: `{name}`, for which the definition asks otherwise than was locked", input.change().name())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use selfsame_definition::Definition;

    use super::names;

    fn definition(inputs: &str, base: &str) -> Definition {
        let text = format!(
            "name = \"app\"\nversion = \"1.0.0\"\n[source]\nepoch = 7\n{inputs}\n[image]\n{base}\n\
             [[image.file]]\nfrom = \"source:a\"\nto = \"/a\"\n"
        );
        Definition::parse(&text).unwrap()
    }

    fn named(definition: &Definition, update: &[&str], all: bool) -> Result<Vec<String>, String> {
        let update: Vec<String> = update.iter().map(|name| (*name).to_owned()).collect();
        let names = names(definition, &update, all).map_err(|report| report.headline)?;
        Ok(names.into_iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn base_is_what_the_image_stands_on_unless_an_input_has_that_name() {
        let debian = "[input.debian]\noci = \"debian:12\"\n";
        let data = "[input.data]\nfile = \"data.bin\"\n";
        let on_debian = definition(&format!("{debian}{data}"), "base = \"debian\"");
        assert_eq!(named(&on_debian, &["base"], false).unwrap(), ["debian"]);
        assert_eq!(named(&on_debian, &["base", "data", "data"], false).unwrap(), ["data", "debian"]);
        assert_eq!(named(&on_debian, &[], true).unwrap(), ["data", "debian"]);
        assert_eq!(named(&on_debian, &[], false).unwrap(), [""; 0]);
        let own_base =
            definition(&format!("{debian}{}", data.replace("input.data", "input.base")), "base = \"debian\"");
        assert_eq!(named(&own_base, &["base"], false).unwrap(), ["base"]);
        assert!(named(&definition(data, ""), &["base"], false).unwrap_err().contains("`scratch`"));
    }
}
