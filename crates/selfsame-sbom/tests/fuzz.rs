//! SBOMs of others, held against the lists.

use selfsame_core::json::{self, Limits};
use selfsame_sbom::{check, license};
use selfsame_testing::fuzz::fuzz;

const SBOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79","version":1,"metadata":{"timestamp":"2026-11-20T00:00:00Z","tools":{"components":[{"type":"application","name":"selfsame"}]},"authors":[{"name":"A"}],"component":{"bom-ref":"app","type":"container","name":"app","version":"1"}},"components":[{"bom-ref":"a","type":"library","name":"a","version":"1","purl":"pkg:cargo/a@1","supplier":{"name":"x"},"licenses":[{"license":{"id":"MIT"}},{"expression":"MIT OR Apache-2.0"}],"hashes":[{"alg":"SHA-256","content":"ab"}],"properties":[{"name":"x","value":"y"}]}],"dependencies":[{"ref":"app","dependsOn":["a"]},{"ref":"a"}],"compositions":[{"aggregate":"complete"}]}"#;

#[test]
fn fuzz_sbom() {
    let words = [
        "\"components\":[",
        "\"dependsOn\":[",
        "\"ref\":",
        "\"licenses\":[",
        "\"hashes\":[",
        "\"supplier\":{",
        "null,",
        "\"bom-ref\":\"a\",",
    ];
    fuzz("sbom", &[SBOM.as_bytes()], &words, |bytes| {
        let document = json::parse(bytes, Limits::DOCUMENT).map_err(|error| error.to_string())?;
        let report = check(&document);
        let lines = report.lines(5);
        Err(format!("{} lines", lines.len()))
    });
}

#[test]
fn fuzz_license() {
    let seeds: [&[u8]; 3] =
        [b"MIT OR (Apache-2.0 WITH LLVM-exception AND GPL-2.0+)", b"Apache License, Version 2.0", b"LicenseRef-x"];
    fuzz("license", &seeds, &[" OR ", " AND ", " WITH ", "(", ")", "+", "LicenseRef-", "DocumentRef-a:"], |bytes| {
        let license = license(&String::from_utf8_lossy(bytes));
        Err(format!("{license:?}").chars().take(8).collect())
    });
}
