//! The command line of another verifier, with places for what is asked.

use std::path::Path;
use std::process::Command;

use selfsame_core::Digest;
use selfsame_core::uri;
use selfsame_corpus::case::{ARTIFACT, BUNDLE, KEY, LOG_KEY, RELEASE, TRUST, TRUSTED_ROOT};
use selfsame_corpus::{Believed, Case, Content, Judged};

use crate::report::{Answer, Exit, Report};

/// The names that stand between braces.
const PLACES: [&str; 10] =
    ["artifact", "at", "bundle", "digest", "key", "log_key", "release", "trust", "trusted_root", "type"];

/// Words, in which `{NAME}` stands for a file or a value of a case.
#[derive(Debug)]
pub(super) struct Template {
    words: Vec<Vec<Piece>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(&'static str),
}

impl Template {
    /// Splits at white space, outside of quotes; then looks for places. No shell is asked.
    pub(super) fn parse(text: &str) -> Answer<Self> {
        let fault = |what: String| {
            Report::new(Exit::Unanswered, format!("the command of --against {what}"))
                .fact("places", PLACES.map(|place| format!("{{{place}}}")).join(" "))
        };
        let words = split(text).map_err(|what| fault(what.to_owned()))?;
        let words = words
            .iter()
            .map(|word| pieces(word).map_err(|unknown| fault(format!("has the unknown place `{{{unknown}}}`"))))
            .collect::<Result<Vec<_>, _>>()?;
        let template = Self { words };
        match (template.words.is_empty(), template.has("bundle"), template.has("release")) {
            (true, ..) => Err(fault("is empty".to_owned()).into()),
            (_, false, false) => Err(fault("has neither {bundle} nor {release}".to_owned()).into()),
            (_, true, true) => Err(fault("has both {bundle} and {release}".to_owned()).into()),
            _ => Ok(template),
        }
    }

    fn has(&self, place: &str) -> bool {
        self.words.iter().flatten().any(|piece| matches!(piece, Piece::Place(found) if *found == place))
    }

    /// Whether it can put the question of a case: everything that the question needs has its place, and everything that
    /// has a place is there.
    pub(super) fn can_ask(&self, case: &Case) -> bool {
        let question = &case.question;
        let (kind, of_type) = match &question.subject {
            Judged::Bundle { predicate_type } => ("bundle", predicate_type != uri::PROVENANCE && !self.has("type")),
            Judged::Release => ("release", false),
        };
        let believed = match question.believed {
            Believed::Key => self.has("key") && !self.has("trust"),
            Believed::TrustFile { .. } => self.has("trust") && !self.has("key"),
            Believed::Nobody => !self.has("trust") && !self.has("key"),
        };
        let logged = !question.logged || self.has("trusted_root") || self.has("log_key");
        let there = |place: &&str| !self.has(place) || case.question_has(place);
        self.has(kind) && !of_type && believed && logged && question.expect.is_empty() && PLACES.iter().all(there)
    }

    /// The command about a case that lies in this folder.
    pub(super) fn command(&self, case: &Case, folder: &Path) -> Command {
        let word = |pieces: &Vec<Piece>| -> String {
            let text = |piece: &Piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Place(place) => value(place, case, folder),
            };
            pieces.iter().map(text).collect()
        };
        let mut words = self.words.iter().map(word);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }
}

/// What a case has to offer.
trait Offers {
    fn question_has(&self, place: &str) -> bool;
}

impl Offers for Case {
    fn question_has(&self, place: &str) -> bool {
        match place {
            "type" => matches!(self.question.subject, Judged::Bundle { .. }),
            "at" => matches!(self.question.believed, Believed::TrustFile { .. }),
            "release" => matches!(self.question.subject, Judged::Release),
            place => self.files.contains_key(file_of(place)),
        }
    }
}

fn file_of(place: &str) -> &'static str {
    match place {
        "artifact" | "digest" => ARTIFACT,
        "bundle" => BUNDLE,
        "key" => KEY,
        "log_key" => LOG_KEY,
        "trust" => TRUST,
        "trusted_root" => TRUSTED_ROOT,
        _ => RELEASE,
    }
}

fn value(place: &str, case: &Case, folder: &Path) -> String {
    match (place, &case.question.subject, &case.question.believed) {
        ("type", Judged::Bundle { predicate_type }, _) => predicate_type.clone(),
        ("at", _, Believed::TrustFile { at }) => (*at).to_owned(),
        ("digest", ..) => {
            let bytes = case.files.get(ARTIFACT).and_then(Content::bytes).unwrap_or_default();
            Digest::of(bytes).hex()
        }
        (place, ..) => folder.join(file_of(place)).display().to_string(),
    }
}

/// Words with white space between them; quotes of either kind keep it, and a backslash the next character outside of
/// single quotes.
fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', None | Some('"')) => {
                word.get_or_insert_default().push(characters.next().ok_or("ends with a backslash")?);
            }
            (character, Some(open)) if character == open => quote = None,
            (character, Some(_)) => word.get_or_insert_default().push(character),
            ('"' | '\'', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (character, None) if character.is_whitespace() => words.extend(word.take()),
            (character, None) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("has a quote that is not closed") } else { Ok(words) }
}

/// A word's pieces. Braces around anything but a name in small letters are text.
fn pieces(word: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest, mut text) = (Vec::new(), word, String::new());
    while let Some((before, behind)) = rest.split_once('{') {
        text.push_str(before);
        let name = behind
            .split_once('}')
            .filter(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        let Some((name, behind_name)) = name else {
            text.push('{');
            rest = behind;
            continue;
        };
        let place = PLACES.into_iter().find(|place| *place == name).ok_or_else(|| name.to_owned())?;
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Place(place));
        rest = behind_name;
    }
    text.push_str(rest);
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_before_anything_is_put_in() {
        for (text, words) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            ("a 'b c' \"d 'e\" f\\ g ''", vec!["a", "b c", "d 'e", "f g", ""]),
            ("a\\'b '\\'", vec!["a'b", "\\"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert!(split("a 'b").is_err() && split("a\\").is_err());
    }

    #[test]
    fn places_have_names() {
        assert_eq!(
            pieces("--key={key}{type}x").unwrap(),
            [Piece::Text("--key=".into()), Piece::Place("key"), Piece::Place("type"), Piece::Text("x".into())]
        );
        assert_eq!(pieces("{}{A}{").unwrap(), [Piece::Text("{}{A}{".into())]);
        assert_eq!(pieces("").unwrap(), [Piece::Text(String::new())]);
        assert_eq!(pieces("{keys}").unwrap_err(), "keys");
        for (text, because) in [
            ("", "is empty"),
            ("true {key}", "neither"),
            ("true {bundle} {release}", "both"),
            ("true {bundle} {keys}", "unknown place `{keys}`"),
        ] {
            let report = Template::parse(text).unwrap_err();
            assert!(report.headline.contains(because), "{}", report.headline);
        }
    }

    #[test]
    fn a_question_is_asked_only_where_all_of_it_has_its_place() {
        let cases = selfsame_corpus::cases();
        let asks = |text: &str, name: &str| {
            let case = cases.iter().find(|case| case.name == name).expect("a case of this name");
            Template::parse(text).unwrap().can_ask(case)
        };
        let plain = "v {bundle} {key} {artifact}";
        assert!(asks(plain, "control/provenance.file") && asks(plain, "signature/high-s.file"));
        assert!(!asks(plain, "control/sbom.file") && asks("v {bundle} {key} {type}", "control/sbom.file"));
        assert!(!asks(plain, "log/removed.file") && asks("v {bundle} {key} {trusted_root}", "log/removed.file"));
        assert!(!asks(plain, "control/release.release") && asks("v {release} {key}", "control/release.release"));
        assert!(!asks("v {bundle}", "control/provenance.file"), "a question without a key is another one");
        assert!(!asks("v {release} {key} {trusted_root}", "control/release.release"), "there is none beside it");
    }

    #[test]
    fn values_stand_where_their_places_were() {
        let cases = selfsame_corpus::cases();
        let case = cases.iter().find(|case| case.name == "control/sbom.file").expect("a case");
        let template = Template::parse("v --type={type} {digest} '{bundle} {key}'").unwrap();
        let command = template.command(case, Path::new("/x y"));
        let words: Vec<_> = command.get_args().map(|word| word.to_str().expect("text")).collect();
        let digest = Digest::of(b"an artifact\n").hex();
        let expected = ["--type=https://cyclonedx.org/bom", &digest, "/x y/bundle.sigstore.json /x y/key.pub"];
        assert_eq!(words, expected);
    }
}
