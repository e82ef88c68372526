//! A verdict as one page for an auditor: plain sentences first, then every check, then what it rests on.
//!
//! A pure function of the verdict and of what was asked: the same arguments give the same bytes. The page stands alone
//! (no script, nothing from elsewhere, no link), and words of a release are text in it and nothing else.

mod html;
mod release;
mod sentences;
mod tables;

use selfsame_core::{Day, Digest};
use selfsame_policy::Ruled;

use crate::joined::JoinedVerdict;
use crate::one_file::FileVerdict;
use crate::options::{Depth, Expectations};
use crate::trust::Trust;
use crate::verdict::{Class, Verdict};
use html::{Html, Piece};

/// What was asked, and who answers: a page is nothing without it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What was judged, as the person named it.
    pub name: &'a str,
    /// The program with its version.
    pub program: &'a str,
    /// The SHA-256 of the program.
    pub verifier: Digest,
    /// Whom to believe.
    pub trust: &'a Trust,
    /// What it had to say of itself.
    pub expect: &'a Expectations,
}

impl Asked<'_> {
    fn day(&self) -> Option<Day> {
        self.trust.source().map(|source| source.at)
    }
}

/// The page about a release of one platform.
#[must_use]
pub fn of_release(verdict: &Verdict, asked: &Asked<'_>) -> String {
    let mut page = begun(verdict.class, asked, verdict.failed().next().and_then(|check| check.outcome.reason()));
    for sentence in sentences::of_release(verdict) {
        page.paragraph(&sentence.pieces());
    }
    release::digests(verdict, &mut page, 2);
    page.heading(2, "Checks");
    tables::checks(&mut page, "Every question that was put to the release, in order", &tables::rows_of(verdict));
    release::contents(verdict, &mut page, 2);
    tables::unlisted(&mut page, &verdict.unlisted);
    let lines = tables::not_performed(tables::rows_of(verdict).into_iter());
    end(page, asked, Some(verdict.depth), &policies(&verdict.policies), &lines)
}

/// The page about a release for several platforms.
#[must_use]
pub fn of_joined(verdict: &JoinedVerdict, depth: Depth, asked: &Asked<'_>) -> String {
    let of_parts = || verdict.parts.iter().flat_map(|(_, part)| part.failed());
    let reason = verdict.faults().next().or_else(|| of_parts().find_map(|check| check.outcome.reason()));
    let mut page = begun(verdict.class(), asked, reason);
    for sentence in sentences::of_joined(verdict, depth) {
        page.paragraph(&sentence.pieces());
    }
    let mut rows = vec![("filed under", verdict.name.clone())];
    rows.extend(verdict.index.map(|index| ("index", index.to_string())));
    rows.extend(verdict.release_id.map(|id| ("release id", id.to_string())));
    page.values(claims(verdict.class()), &rows);
    page.heading(2, "What joins the platforms");
    let joining: Vec<_> = verdict.checks.iter().map(tables::CheckRow::of_joined).collect();
    tables::checks(&mut page, "Every question that was put to what joins the platforms, in order", &joining);
    tables::unlisted(&mut page, &verdict.unlisted);
    let mut lines = tables::not_performed(joining.into_iter());
    for (platform, part) in &verdict.parts {
        page.heading(2, &format!("Platform {platform}"));
        page.paragraph(&[Piece::Words(sentences::answer_of_part(part.class))]);
        release::digests(part, &mut page, 3);
        page.heading(3, "Checks");
        tables::checks(&mut page, "Every question that was put to this platform, in order", &tables::rows_of(part));
        release::contents(part, &mut page, 3);
        tables::unlisted(&mut page, &part.unlisted);
        let of_part = tables::not_performed(tables::rows_of(part).into_iter());
        lines.extend(of_part.into_iter().map(|(id, reason)| (format!("{platform}, {id}"), reason)));
    }
    end(page, asked, Some(depth), &policies(&verdict.policies), &lines)
}

/// The page about one file and one bundle.
#[must_use]
pub fn of_file(verdict: &FileVerdict, predicate_type: &str, asked: &Asked<'_>) -> String {
    let mut page = begun(verdict.class, asked, verdict.failed().and_then(|check| check.outcome.reason()));
    for sentence in sentences::of_file(verdict, predicate_type) {
        page.paragraph(&sentence.pieces());
    }
    let mut rows = vec![("file", verdict.file.to_string()), ("statement asked for", predicate_type.to_owned())];
    rows.extend(verdict.key_id.clone().map(|key| ("signed by key", key)));
    page.values("Whole digests", &rows);
    page.heading(2, "Checks");
    let checks: Vec<_> = verdict.checks.iter().map(tables::CheckRow::of_joined).collect();
    tables::checks(&mut page, "Every question that was put to the file and its bundle, in order", &checks);
    let none = ["none: a policy is asked of whole releases".to_owned()];
    end(page, asked, None, &none, &tables::not_performed(checks.into_iter()))
}

/// Title, answer and reason.
fn begun(class: Class, asked: &Asked<'_>, reason: Option<&str>) -> Html {
    let (word, colour) = match class {
        Class::Verified => ("Verified", "yes"),
        Class::NotVerified => ("Not verified", "no"),
        Class::Unanswered => ("Not answered", "open"),
    };
    let mut page = Html::new(&format!("{word}: {}", asked.name));
    page.heading(1, &format!("Verdict on {}", asked.name));
    match reason.filter(|_| class != Class::Verified) {
        Some(reason) => {
            page.answer(colour, &[Piece::Words(word), Piece::Words(": "), Piece::Value(reason), Piece::Words(".")]);
        }
        None => page.answer(colour, &[Piece::Words(word), Piece::Words(".")]),
    }
    page
}

/// What may be believed of the digests that are shown.
fn claims(class: Class) -> &'static str {
    match class {
        Class::Verified => "Whole digests",
        _ => "What the release says it is: not to be believed",
    }
}

/// Each policy with its digest and what it said.
fn policies(policies: &[Ruled]) -> Vec<String> {
    let said = |it: &Ruled| match &it.ruling {
        None => "not asked, or no answer",
        Some(ruling) if ruling.allow => "allows it",
        Some(_) => "does not allow it",
    };
    policies.iter().map(|it| format!("{}, {}: {}", it.name, it.digest, said(it))).collect()
}

/// By whom and by what it was judged, and what was not done.
fn end(
    mut page: Html,
    asked: &Asked<'_>,
    depth: Option<Depth>,
    policies: &[String],
    not_performed: &[(String, String)],
) -> String {
    page.heading(2, "What was not performed");
    page.paragraph(&[Piece::Words(
        "The checks below were not performed, each for its reason. A verdict is verified only if none of them is one that it needs.",
    )]);
    if not_performed.is_empty() {
        page.paragraph(&[Piece::Words("None: every check of this program was performed.")]);
    } else {
        let lines: Vec<(&str, &str)> =
            not_performed.iter().map(|(id, reason)| (id.as_str(), reason.as_str())).collect();
        page.list(&lines);
    }
    page.paragraph(&[Piece::Words(sentences::NEVER)]);

    page.heading(2, "Judged by");
    let mut rows = vec![("program", asked.program.to_owned()), ("its SHA-256", asked.verifier.to_string())];
    rows.extend(depth.map(|depth| ("depth", depth.as_str().to_owned())));
    match asked.trust.source() {
        Some(source) => {
            rows.push(("trust file", source.digest.to_string()));
            rows.push(("its serial", source.serial.to_string()));
        }
        None => rows.push(("trust file", "none: the keys below were given by themselves".to_owned())),
    }
    rows.push((
        "judged for the day",
        asked
            .day()
            .map_or_else(|| "none: keys given by themselves count on every day".to_owned(), |day| day.to_string()),
    ));
    rows.extend(policies.iter().map(|policy| ("policy", policy.clone())));
    rows.extend(asked.expect.iter().map(|(name, value)| ("expected", format!("{name}={value}"))));
    if asked.expect.iter().next().is_none() {
        rows.push(("expected", "nothing: any release by a trusted key was as good".to_owned()));
    }
    page.values("Who judged, and by what", &rows);
    tables::keys(&mut page, asked.trust);
    page.end()
}
