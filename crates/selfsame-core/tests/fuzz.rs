//! The values that everyone shares, read from foreign bytes.

use selfsame_core::json::{self, Limits};
use selfsame_core::{Digest, Level, Platform, RelPath, SourceEpoch};
use selfsame_testing::fuzz::{answer, fuzz};

#[test]
fn fuzz_json() {
    // Strings longer than what is looked at in one go, with something to be found in the second of these.
    let long = format!(r#"{{"b\"":["{0}é{0}\\","{0}{0}"],"a":{{"{0}":1,"{0}x":2,"{0}w":3}}}}"#, "x".repeat(40));
    let seeds: [&[u8]; 4] = [
        br#"{"a":[1,-2.5e3,"\u00e9\ud83d\ude00",null,true],"b":{"a":{}}}"#,
        br#"{"a":1,"a":2}"#,
        b"9007199254740992",
        long.as_bytes(),
    ];
    fuzz("json", &seeds, &["\"a\":", "\\ud83d", "\\u0000", "1e", "-0", "{\"a\":"], |bytes| {
        let limits = Limits { size_bytes: 1 << 20, values: 1000 };
        let value = json::parse(bytes, limits).map_err(|error| error.to_string());
        // Two readers, one answer.
        let text = json::Text::parse(bytes, limits).map_err(|error| error.to_string());
        assert_eq!(text.map(|text| text.root().to_value()), value);
        let value = value?;
        let written = serde_json::to_vec(&value).map_err(|error| error.to_string())?;
        json::parse(&written, Limits::DOCUMENT).expect("what is written is read");
        Ok(())
    });
}

#[test]
fn fuzz_words() {
    let seeds: [&[u8]; 5] = [
        b"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        b"linux/arm64/v8",
        b"2026-11-20T16:04:05Z",
        b"usr/lib/x86_64-linux-gnu/libc.so.6",
        b"normalized",
    ];
    fuzz("words", &seeds, &["sha256:", "linux/", "T00:00:00Z", "-02-30", "..", "//"], |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if let Some(epoch) = SourceEpoch::from_rfc3339(&text) {
            assert_eq!(SourceEpoch::from_rfc3339(&epoch.rfc3339()), Some(epoch));
        }
        let (platform, level) = (text.parse::<Platform>(), text.parse::<Level>());
        if let Ok(path) = RelPath::new(text.clone()) {
            assert!(path.components().all(|part| !matches!(part, "" | "." | "..")), "{path}");
        }
        answer(text.parse::<Digest>()).and(answer(platform)).and(answer(level)).and(answer(RelPath::new(text)))
    });
}
