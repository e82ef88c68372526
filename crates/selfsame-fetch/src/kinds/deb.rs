//! `deb = ["gcc"]`: Debian packages with what they depend on, as a root file system.
//!
//! Apt chooses, against a private root, and vouches by its signed lists; nothing else here needs it. A locked package is
//! asked for where this machine gets packages from, unpacked by our own reader, and no script of it is run. What is lost
//! by that, and what is made good, is in docs/inputs/deb.md.

mod apt;
mod configure;
mod describe;
mod error;
mod links;
mod machine;
mod normalise;
mod place;
mod root;
#[cfg(test)]
mod tests;
mod threads;
mod unpack;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;

use selfsame_core::{Digest, Platform};
use selfsame_deb::{AptUri, Control, Version, read_control};
use selfsame_definition::{DebSpec, Rootfs};
use selfsame_http::{Client, Download, HttpError};
use selfsame_lock::{Claim, Part, Purl};
use selfsame_tree::Tree;

use self::apt::Apt;
pub use self::error::DebInputError;
use self::machine::Machine;
use self::place::Named;
use self::root::Root;
use self::unpack::{Unpacked, unpack};
use super::missing;
use crate::bring::{Wanted, bring_all};
use crate::context::{Context, Described};
use crate::obtainable::Obtainable;
use crate::resolve::FetchError;
use crate::{memo, obtainable};

/// Asks apt which packages the definition means today, and brings them.
pub(crate) fn resolve(name: &str, spec: &DebSpec, cx: &Context<'_>) -> Result<Vec<Part>, FetchError> {
    let asked: Vec<(&str, Option<Version>)> = spec.packages.iter().map(|text| asked(text)).collect::<Result<_, _>>()?;
    let machine = Machine::read(cx.environment)?.ok_or(DebInputError::NoApt)?;
    let sources = machine.suite(spec.suite.as_deref())?;
    let mut platforms = cx.platforms.to_vec();
    if platforms.is_empty() {
        platforms.push(cx.platform.clone());
    }
    // By package URL and digest: which platforms a part is for.
    let mut parts: BTreeMap<(Purl, Digest), (Part, BTreeSet<Platform>)> = BTreeMap::new();
    for platform in &platforms {
        let apt = Apt::open(&folder(cx), &sources, architecture(platform)?, cx.environment)?;
        if !cx.offline {
            apt.update()?;
        }
        let uris = apt.install(&spec.packages, spec.essential, spec.recommends)?;
        let origins = apt.origins()?;
        drop(apt);
        let mut chosen = Vec::new();
        for part in bring_chosen(name, &uris, &origins, &machine, cx)? {
            chosen.push(checked(part, cx)?);
        }
        for (package, version) in &asked {
            if !chosen.iter().any(|(_, control)| answers(control, package, version.as_ref())) {
                return Err(DebInputError::NotChosen { package: (*package).to_owned() }.into());
            }
        }
        for (part, _) in chosen {
            let key = (part.purl.clone(), part.sha256);
            parts.entry(key).or_insert((part, BTreeSet::new())).1.insert(platform.clone());
        }
    }
    let mut all = Vec::new();
    for (part, of) in parts.into_values() {
        if of.len() == platforms.len() {
            all.push(part);
            continue;
        }
        all.extend(of.into_iter().map(|platform| Part { platform: Some(platform), ..part.clone() }));
    }
    Ok(all)
}

/// Brings the locked packages that the store lacks, from where this machine gets packages.
pub(crate) fn fetch(name: &str, _: &DebSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), FetchError> {
    let missing = missing(parts, cx)?;
    let Some(first) = missing.first() else { return Ok(()) };
    if cx.offline {
        return Err(FetchError::Offline { input: name.to_owned(), purl: first.purl.clone() });
    }
    let machine = Machine::read(cx.environment)?.unwrap_or_default();
    let (client, places) = (client(&machine, cx)?, Places { machine: &machine, cx });
    let cx = &Context { http: &client, ..*cx };
    let mut wanted = Vec::new();
    for part in &missing {
        let urls = places.of(part)?;
        if urls.is_empty() {
            return Err(DebInputError::NoPlace { purl: part.purl.plain() }.into());
        }
        wanted.push(Wanted::part(part, urls));
    }
    let Err(error) = bring_all(name, "locked", &wanted, cx) else { return Ok(()) };
    // An archive that is laid out in its own way says by its lists where a package is, as long as it has it.
    let FetchError::Http(error @ HttpError::NotFound { .. }) = error else { return Err(error) };
    let still: Vec<Part> = super::missing(parts, cx)?.into_iter().cloned().collect();
    // Where upstreams are configured, apt's own sources are not asked.
    let configured =
        |part: &Part| Named::of(part).is_some_and(|it| !cx.http.origins().upstreams(&it.vendor).is_empty());
    if still.iter().any(configured) {
        return Err(dropped(&still, error, cx));
    }
    let listed = listed(&still, &machine, cx)?;
    if listed.iter().any(Vec::is_empty) {
        return Err(dropped(&still, error, cx));
    }
    let wanted: Vec<Wanted<'_>> = still.iter().zip(listed).map(|(part, urls)| Wanted::part(part, urls)).collect();
    bring_all(name, "locked", &wanted, cx).map(|_| ())
}

/// Which packages no archive has any more, where that can be told: mirrors keep the versions of today.
fn dropped(still: &[Part], error: HttpError, cx: &Context<'_>) -> FetchError {
    let asked: Vec<&Part> = still.iter().collect();
    let said = ask(&asked, cx).unwrap_or_default();
    let gone = asked.iter().zip(said).filter(|(_, answer)| matches!(answer, Obtainable::No { .. }));
    let packages: Vec<String> = gone.map(|(part, _)| part.purl.plain()).collect();
    match packages.is_empty() {
        true => error.into(),
        false => DebInputError::Dropped { packages, source: Box::new(error) }.into(),
    }
}

/// Asks the places where this machine gets packages; then apt's lists, as long as they name what those places lack.
pub(crate) fn ask(parts: &[&Part], cx: &Context<'_>) -> Result<Vec<Obtainable>, FetchError> {
    let machine = Machine::read(cx.environment)?.unwrap_or_default();
    let (client, places) = (client(&machine, cx)?, Places { machine: &machine, cx });
    let mut answers = obtainable::each(parts, |part| {
        let urls = places.of(part)?;
        if urls.is_empty() {
            return Err(DebInputError::NoPlace { purl: part.purl.plain() }.into());
        }
        // Another file under that name says more than none; a place that cannot be asked is no answer.
        let (mut other, mut failed) = (None, None);
        for url in urls {
            let mut download = Download::new(&url, part.size);
            download.plain_http = true;
            match obtainable::look(&client, &download, part) {
                Ok(None) => {}
                Ok(Some(Obtainable::Yes)) => return Ok(Obtainable::Yes),
                Ok(Some(says)) => other = Some(says),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match (other, failed) {
            (None, Some(error)) => Err(error.into()),
            (other, _) => Ok(other.unwrap_or_else(Obtainable::gone)),
        }
    })?;
    let configured =
        |part: &Part| Named::of(part).is_some_and(|it| !cx.http.origins().upstreams(&it.vendor).is_empty());
    let is_open = |at: &usize| answers[*at] != Obtainable::Yes && part_is_whole(parts[*at]) && !configured(parts[*at]);
    let open: Vec<usize> = (0..parts.len()).filter(is_open).collect();
    let still: Vec<Part> = open.iter().map(|&at| parts[at].clone()).collect();
    if still.is_empty() {
        return Ok(answers);
    }
    for (at, urls) in open.into_iter().zip(listed(&still, &machine, cx)?) {
        if !urls.is_empty() {
            answers[at] = Obtainable::Yes;
        }
    }
    Ok(answers)
}

/// Whether a part has a size, by which apt's lists are compared.
const fn part_is_whole(part: &Part) -> bool {
    part.size != 0
}

/// The root file system, from packages that are in the store. One that is to be configured is as dpkg would have unpacked
/// it, with the order in which its packages are to be configured.
pub(crate) fn tree(spec: &DebSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, FetchError> {
    let parts = for_platform(parts, cx.platform)?;
    // Changing what laying out does changes this text.
    let mut key = match spec.rootfs {
        Rootfs::Unpacked => String::from("selfsame-deb-root v1\nunpacked\n"),
        Rootfs::Configured => String::from("selfsame-deb-root v1\nto be configured\n"),
    };
    let digests: BTreeSet<Digest> = parts.iter().map(|part| part.sha256).collect();
    key.extend(digests.iter().map(|digest| format!("{digest}\n")));
    let key = Digest::of(key.as_bytes());
    if let Some(tree) = memo::recall(cx.store, &key)? {
        return Ok(tree);
    }
    let packages = unpacked(&parts, cx)?;
    let mut root = Root::of(&packages)?;
    let tree = match spec.rootfs {
        Rootfs::Unpacked => {
            normalise::normalise(&mut root, &packages, cx.store)?;
            Tree::from_entries(root.entries).map_err(|source| DebInputError::Tree { source })?
        }
        Rootfs::Configured => configure::to_be_configured(root, &packages, cx.store)?,
    };
    memo::note(cx.store, &key, &tree)?;
    Ok(tree)
}

/// The packages, as they describe themselves.
pub(crate) fn describe(parts: &[Part], cx: &Context<'_>) -> Result<Vec<Described>, FetchError> {
    let parts = for_platform(parts, cx.platform)?;
    let packages = unpacked(&parts, cx)?;
    let root = Root::of(&packages)?;
    describe::describe(&parts, &packages, &root, cx.store)
}

/// Where apt's private roots are: they survive, so that lists are had once.
fn folder(cx: &Context<'_>) -> std::path::PathBuf {
    cx.store.root().join("tmp/apt")
}

/// `NAME` or `NAME=VERSION`: apt would take a good deal more for an argument, patterns and removals among it.
fn asked(text: &str) -> Result<(&str, Option<Version>), DebInputError> {
    let fault = || DebInputError::Name { text: text.chars().take(128).collect() };
    let (name, version) = text.split_once('=').map_or((text, None), |(name, version)| (name, Some(version)));
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = name.len() >= 2
        && name.bytes().next().is_some_and(fits)
        && name.bytes().all(|byte| fits(byte) || matches!(byte, b'+' | b'-' | b'.'));
    if !is_name {
        return Err(fault());
    }
    let version = version.map(|version| version.parse().map_err(|_| fault())).transpose()?;
    Ok((name, version))
}

/// Whether a package is what was asked for, by its name or by one that it provides.
fn answers(control: &Control, package: &str, version: Option<&Version>) -> bool {
    let named = control.package == package && version.is_none_or(|version| *version == control.version);
    named || (version.is_none() && control.provides.iter().any(|provided| provided.name == package))
}

/// Debian's name of a platform.
fn architecture(platform: &Platform) -> Result<&'static str, DebInputError> {
    let variant = platform.variant.as_deref();
    Ok(match (platform.os.as_str(), platform.architecture.as_str()) {
        ("linux", "amd64") => "amd64",
        ("linux", "arm64") => "arm64",
        ("linux", "386") => "i386",
        ("linux", "arm") if variant == Some("v5") => "armel",
        ("linux", "arm") if variant.is_none_or(|variant| variant == "v7") => "armhf",
        ("linux", "ppc64le") => "ppc64el",
        ("linux", "mips64le") => "mips64el",
        ("linux", "riscv64") => "riscv64",
        ("linux", "s390x") => "s390x",
        ("linux", "loong64") => "loong64",
        _ => return Err(DebInputError::Platform { platform: platform.clone() }),
    })
}

/// A client that also goes by apt's proxies.
fn client(machine: &Machine, cx: &Context<'_>) -> Result<Client, FetchError> {
    Ok(Client::new(&machine.environment(cx.environment), cx.http.options().clone())?)
}

/// Brings what apt named. Sizes and digests are by its signed lists.
fn bring_chosen(
    input: &str,
    uris: &[AptUri],
    origins: &[(String, String)],
    machine: &Machine,
    cx: &Context<'_>,
) -> Result<Vec<Part>, FetchError> {
    let mut parts = Vec::new();
    for uri in uris {
        if !["http://", "https://"].iter().any(|scheme| uri.uri.starts_with(scheme)) {
            return Err(DebInputError::Scheme { file: uri.file_name.clone(), uri: uri.uri.clone() }.into());
        }
        // `gcc_4%3a12.2.0-3_amd64.deb`
        let stem = uri.file_name.strip_suffix(".deb").unwrap_or(&uri.file_name);
        let mut words = stem.splitn(3, '_');
        let (Some(name), Some(version), Some(architecture)) = (words.next(), words.next(), words.next()) else {
            return Err(DebInputError::Line { line: uri.file_name.clone() }.into());
        };
        let version = version.replace("%3a", ":");
        let purl = Purl::deb(&vendor(&uri.uri, origins), name, &version, architecture)?;
        parts.push(Part::new(purl, uri.sha256, uri.size, Claim::SignedRelease));
    }
    let client = client(machine, cx)?;
    let cx = &Context { http: &client, ..*cx };
    let place = |(part, uri): (_, &AptUri)| Wanted::part(part, vec![machine.with_login(&uri.uri)]);
    let wanted: Vec<Wanted<'_>> = parts.iter().zip(uris).map(place).collect();
    bring_all(input, "listed", &wanted, cx)?;
    Ok(parts)
}

/// Who an address' archive says it is, as a package URL has it: `debian`.
fn vendor(uri: &str, origins: &[(String, String)]) -> String {
    let fitting = origins.iter().filter(|(beginning, _)| uri.starts_with(beginning.as_str()));
    let origin = fitting.max_by_key(|(beginning, _)| beginning.len()).map_or("", |(_, origin)| origin);
    let word = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c.to_ascii_lowercase() } else { '-' };
    match origin.trim().chars().map(word).collect::<String>() {
        origin if origin.is_empty() => "debian".to_owned(),
        origin => origin,
    }
}

/// The package as it describes itself, which has to be what it was called.
fn checked(mut part: Part, cx: &Context<'_>) -> Result<(Part, Control), FetchError> {
    let blob = cx.store.open_blob(&part.sha256)?;
    let refused = |source| DebInputError::Package { package: part.purl.plain(), source };
    let control = read_control(blob).map_err(refused)?.control;
    agree(&part, &control)?;
    part.source = Some(format!("{}@{}", control.source.0, control.source.1));
    Ok((part, control))
}

fn agree(part: &Part, control: &Control) -> Result<(), FetchError> {
    let named = Named::of(part).is_some_and(|named| {
        named.name == control.package
            && named.version.as_str() == control.version.as_str()
            && named.architecture == control.architecture
    });
    if named {
        return Ok(());
    }
    let says = format!("{} {} {}", control.package, control.version, control.architecture);
    Err(DebInputError::Disagrees { package: part.purl.plain(), says }.into())
}

/// The parts that are for a platform, sorted.
fn for_platform(parts: &[Part], platform: &Platform) -> Result<Vec<Part>, FetchError> {
    let architecture = architecture(platform)?;
    let mut chosen = Vec::new();
    for part in parts {
        if part.platform.as_ref().is_some_and(|own| own != platform) {
            continue;
        }
        let Some(named) = Named::of(part) else {
            let says = "a package without a name".to_owned();
            return Err(DebInputError::Disagrees { package: part.purl.plain(), says }.into());
        };
        if named.architecture == "all" || named.architecture == architecture {
            chosen.push(part.clone());
        }
    }
    // A lock that was edited by hand may have another order.
    chosen.sort();
    Ok(chosen)
}

/// Every package unpacked, the largest begun first, in the order of their names.
fn unpacked(parts: &[Part], cx: &Context<'_>) -> Result<Vec<Unpacked>, FetchError> {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(parts[at].size));
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut packages = threads::try_each(&order, cores, |&at| {
        let package = unpack(cx.store, &parts[at].sha256, parts[at].purl.as_str())?;
        agree(&parts[at], &package.control)?;
        Ok::<_, FetchError>((at, package))
    })?;
    packages.sort_by_key(|(at, _)| *at);
    Ok(packages.into_iter().map(|(_, package)| package).collect())
}

/// Where locked packages are asked for.
struct Places<'a> {
    machine: &'a Machine,
    cx: &'a Context<'a>,
}

impl Places<'_> {
    fn of(&self, part: &Part) -> Result<Vec<String>, FetchError> {
        let named = Named::of(part).ok_or_else(|| DebInputError::NoPlace { purl: part.purl.plain() })?;
        let places = named.places(part, self.cx.http.origins(), &self.machine.sources);
        Ok(places.iter().map(|place| self.machine.with_login(place)).collect())
    }
}

/// Where apt's lists say that packages are; nothing for those that they have no more.
fn listed(parts: &[Part], machine: &Machine, cx: &Context<'_>) -> Result<Vec<Vec<String>>, FetchError> {
    let mut all = vec![Vec::new(); parts.len()];
    if machine.sources.is_empty() {
        return Ok(all);
    }
    let native = architecture(cx.platform)?;
    let mut of: BTreeMap<String, Vec<(usize, Named)>> = BTreeMap::new();
    for (at, part) in parts.iter().enumerate() {
        let named = Named::of(part).ok_or_else(|| DebInputError::NoPlace { purl: part.purl.plain() })?;
        let own = if named.architecture == "all" { native.to_owned() } else { named.architecture.clone() };
        of.entry(own).or_default().push((at, named));
    }
    for (architecture, named) in of {
        let apt = Apt::open(&folder(cx), &machine.sources, &architecture, cx.environment)?;
        apt.update()?;
        for (at, Named { name, version, .. }) in named {
            let uris = apt.version(&name, version.as_str())?;
            let same = uris.into_iter().filter(|uri| (uri.sha256, uri.size) == (parts[at].sha256, parts[at].size));
            all[at] = same.map(|uri| machine.with_login(&uri.uri)).collect();
        }
    }
    Ok(all)
}
