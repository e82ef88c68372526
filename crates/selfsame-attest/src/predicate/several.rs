//! The provenance of an image for several platforms, out of those of its platforms: docs/build-type/v1.md.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::provenance::{BuildDefinition, Provenance, RunDetails};
use super::resource::ResourceDescriptor;

/// The external parameter that names what one platform's provenance is for.
const PLATFORM: &str = "platform";
/// The external parameter that names all that were asked for.
const PLATFORMS: &str = "platforms";

impl Provenance {
    /// The platforms that were asked for together, where those are several: their names, sorted.
    #[must_use]
    pub fn platforms(&self) -> Option<Vec<&str>> {
        let list = self.build_definition.external_parameters.get(PLATFORMS)?.as_array()?;
        list.iter().map(Value::as_str).collect()
    }

    /// What all of these say together, whose order does not count. What they say alike stands there as they say it;
    /// `internalParameters.platforms` holds what each chose, by the name of its platform; inputs stand there once; and
    /// a byproduct says in an annotation which platform it is of.
    ///
    /// # Errors
    /// The rest of a sentence about them: nobody asked for these together, or they contradict each other.
    pub fn of_several(parts: &[&Self]) -> Result<Self, String> {
        let mut sorted = Vec::with_capacity(parts.len());
        for part in parts {
            let platform = part.build_definition.external_parameters.get(PLATFORM).and_then(Value::as_str);
            sorted.push((platform.ok_or("are for no platform")?, *part));
        }
        sorted.sort_by_key(|(platform, _)| *platform);
        let (_, first) = sorted.first().ok_or("are none")?;
        let names: Vec<&str> = sorted.iter().map(|(platform, _)| *platform).collect();
        let (mut internal, mut inputs) = (Map::new(), Vec::<ResourceDescriptor>::new());
        let mut byproducts = Vec::new();
        let mut by_uri: BTreeMap<&str, Vec<&ResourceDescriptor>> = BTreeMap::new();
        for (platform, part) in &sorted {
            if part.platforms().as_ref() != Some(&names) {
                let asked = part.platforms().unwrap_or_else(|| vec![platform]).join(", ");
                return Err(format!("are for {}, and {platform} was asked for among {asked}", names.join(", ")));
            }
            if shared(part) != shared(first) || part.run_details.builder != first.run_details.builder {
                return Err(format!("do not ask for the same: {platform} and {}", names[0]));
            }
            let definition = &part.build_definition;
            internal.insert((*platform).to_owned(), Value::Object(definition.internal_parameters.clone()));
            byproducts.extend(part.run_details.byproducts.iter().cloned().map(|mut byproduct| {
                byproduct.annotations.insert(PLATFORM.to_owned(), Value::from(*platform));
                byproduct
            }));
            for input in &definition.resolved_dependencies {
                let known = by_uri.entry(&input.uri).or_default();
                if !known.contains(&input) {
                    known.push(input);
                    inputs.push(input.clone());
                }
            }
        }
        let (build_type, external_parameters) = shared(first);
        Ok(Self {
            build_definition: BuildDefinition {
                build_type: build_type.to_owned(),
                external_parameters,
                internal_parameters: Map::from_iter([(PLATFORMS.to_owned(), Value::Object(internal))]),
                resolved_dependencies: inputs,
            },
            run_details: RunDetails { builder: first.run_details.builder.clone(), byproducts },
        })
    }
}

/// What was asked for, whatever the platform.
fn shared(provenance: &Provenance) -> (&str, Map<String, Value>) {
    let definition = &provenance.build_definition;
    let mut parameters = definition.external_parameters.clone();
    parameters.remove(PLATFORM);
    (&definition.build_type, parameters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(platform: &str, platforms: &[&str], input: &str) -> Provenance {
        let digest = json!({"sha256": "11".repeat(32)});
        let value = json!({
            "buildDefinition": {
                "buildType": "https://selfsame.dev/build/v1",
                "externalParameters": {"name": "x", "platform": platform, "platforms": platforms},
                "internalParameters": {"profile": 1, "actions": [platform]},
                "resolvedDependencies": [
                    {"uri": "selfsame:definition", "name": "selfsame.toml", "digest": digest},
                    {"uri": input, "name": input, "digest": digest},
                ],
            },
            "runDetails": {"builder": {"id": "https://x.example/"}, "byproducts": [{"name": "sbom", "digest": digest}]},
        });
        serde_json::from_value(value).expect("provenance")
    }

    const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

    #[test]
    fn what_several_say_together_does_not_depend_on_their_order() {
        let (amd, arm) = (part(BOTH[0], &BOTH, "pkg:a"), part(BOTH[1], &BOTH, "pkg:b"));
        let together = Provenance::of_several(&[&arm, &amd]).expect("together");
        assert_eq!(Provenance::of_several(&[&amd, &arm]).as_ref(), Ok(&together));
        let digest = "11".repeat(32);
        let expected = json!({
            "buildDefinition": {
                "buildType": "https://selfsame.dev/build/v1",
                "externalParameters": {"name": "x", "platforms": BOTH},
                "internalParameters": {"platforms": {
                    "linux/amd64": {"profile": 1, "actions": ["linux/amd64"]},
                    "linux/arm64": {"profile": 1, "actions": ["linux/arm64"]},
                }},
                "resolvedDependencies": [
                    {"uri": "selfsame:definition", "name": "selfsame.toml", "digest": {"sha256": digest}},
                    {"uri": "pkg:a", "name": "pkg:a", "digest": {"sha256": digest}},
                    {"uri": "pkg:b", "name": "pkg:b", "digest": {"sha256": digest}},
                ],
            },
            "runDetails": {"builder": {"id": "https://x.example/"}, "byproducts": [
                {"name": "sbom", "digest": {"sha256": digest}, "annotations": {"platform": "linux/amd64"}},
                {"name": "sbom", "digest": {"sha256": digest}, "annotations": {"platform": "linux/arm64"}},
            ]},
        });
        assert_eq!(serde_json::to_value(&together).expect("JSON"), expected);
    }

    #[test]
    fn parts_that_nobody_asked_for_together_are_refused() {
        let refused = |parts: &[&Provenance], because: &str| {
            let fault = Provenance::of_several(parts).expect_err(because);
            assert!(fault.contains(because), "{fault}");
        };
        let (amd, arm) = (part(BOTH[0], &BOTH, "pkg:a"), part(BOTH[1], &BOTH, "pkg:b"));
        refused(&[], "none");
        refused(&[&amd], "among linux/amd64, linux/arm64");
        refused(&[&amd, &amd], "among linux/amd64, linux/arm64");
        refused(&[&amd, &arm, &part("linux/riscv64", &BOTH, "pkg:c")], "among linux/amd64, linux/arm64");
        let mut alone = amd.clone();
        alone.build_definition.external_parameters.remove("platforms");
        refused(&[&alone, &arm], "among linux/amd64");
        let mut other = amd.clone();
        other.build_definition.external_parameters.insert("name".to_owned(), json!("y"));
        refused(&[&other, &arm], "do not ask for the same");
        let mut stranger = arm.clone();
        stranger.run_details.builder.id = "https://y.example/".to_owned();
        refused(&[&amd, &stranger], "do not ask for the same");
        let mut nowhere = arm;
        nowhere.build_definition.external_parameters.remove("platform");
        refused(&[&amd, &nowhere], "no platform");
    }
}
