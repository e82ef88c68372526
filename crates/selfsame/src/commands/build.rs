//! `selfsame build`: from a project to a release folder, all or nothing.

mod made;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use selfsame_action::Executor;
use selfsame_build::{Built, Event, Extent, Inputs, Mode, Progress as _, RUN_RECORD, Request};
use selfsame_core::{Level, Platform, uri};
use selfsame_executor::LocalExecutor;
use selfsame_registry::{Reference, Target};
use selfsame_store::{Replace, Staging, Store};
use serde_json::json;

use super::errors;
use crate::cli::{Build, Engine};
use crate::keys::{self, Key};
use crate::log::{self, Log};
use crate::prepare::{self, Project, Wishes};
use crate::remote;
use crate::report::{Answer, Exit, Report, with_schema};
use crate::run_record::Started;
use crate::settings::Settings;
use crate::shared::{self, Sharing};
use crate::standing::{Asked, Standing, Summary};
use crate::terminal::{self, Voice, seconds, size};
use crate::timestamp::TimeStamps;
use made::{Made, Seen};

pub(super) fn run(arguments: &Build, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let started = Started::now();
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let relaxed = !arguments.relax.is_empty();
    // The key first: a wrong one should not be found out after an hour of building.
    let key = key(arguments, settings, &voice, relaxed)?;
    let log = Log::named(&arguments.log, settings)?;
    let stamps = TimeStamps::named(arguments.log.stamp.timestamp.as_deref())?;
    let store = prepare::store(settings)?;
    let project = Project::open(&arguments.project.path, &store, settings, &voice, &cancel)?;
    let output = output(arguments, &project);
    refuse_output(&output)?;
    refuse_to_demote(&output, &key)?;
    let push_to = arguments.push.as_deref().map(remote::reference_to_push).transpose()?;
    let named = |flag: &str, text: &Option<String>| {
        text.as_ref().map(|text| shared::named(flag, text, &settings.folder, &project.network)).transpose()
    };
    let cache_from = named("--cache-from", &arguments.cache_from)?;
    let cache_to = named("--cache-to", &arguments.cache_to)?;
    let wishes = Wishes {
        level: level(&arguments.level)?,
        relaxations: relaxations(arguments)?,
        builder_id: key.builder_id.clone(),
        locked: arguments.locked,
        trust_stat_cache: key.development,
        exclude: own_outputs(&project, &output, arguments.archive.as_deref(), log.as_ref()),
    };
    let prepared = project.prepare(&wishes)?;
    refuse_own_keys(&prepared, &key, log.as_ref())?;
    refuse_dirty(&prepared, arguments, &key)?;

    let check = arguments.check || !key.development && !arguments.no_check;
    let mode = Mode { use_cache: !arguments.no_cache, check };
    let extent = if arguments.capsule { Extent::Full } else { Extent::Slim };
    let asked = Asked {
        extent,
        check,
        no_check: arguments.no_check,
        log: log.as_ref().map(|log| log.key().log_id()),
        timestamp: stamps.as_ref().map(TimeStamps::digest),
    };
    refuse_load(arguments, &prepared.inputs)?;
    let request = &prepared.inputs[0].request;
    let requests: Vec<&Request> = prepared.inputs.iter().map(|inputs| &inputs.request).collect();
    let standing = Standing::of(&requests, asked, &key, &output, &store);
    let only_the_folder = arguments.archive.is_none() && arguments.load.is_none();
    if let Some(standing) = standing.as_ref().filter(|_| mode.use_cache && only_the_folder)
        && let Some(done) = standing.recall()
    {
        side_files(arguments, request, &done, &output)?;
        if let Some((reference, target)) = &push_to {
            push(&output, reference, target, &project)?;
        }
        summary("unchanged", arguments, request, &done, &key, &output, &started, &voice);
        return Ok(Exit::Yes);
    }
    let executor = LocalExecutor::new(project.executor_settings()?);
    let sharing = cache_from.as_ref().filter(|_| mode.use_cache && !mode.check).map(|shared| Sharing {
        inner: &executor,
        shared,
        store: &store,
        voice: &voice,
    });
    if cache_from.is_some() && sharing.is_none() {
        voice.warn("`--cache-from` is not used: what others left is never checked, and this build checks or runs all");
    }
    let executor: &dyn Executor = match &sharing {
        Some(sharing) => sharing,
        None => &executor,
    };
    let mut builds = Vec::with_capacity(prepared.inputs.len());
    for inputs in &prepared.inputs {
        if prepared.inputs.len() > 1 {
            voice.say("platform", &inputs.request.platform.to_string());
        }
        let built = selfsame_build::build(inputs, &store, executor, mode, super::threads(), &voice);
        builds.push(built.map_err(|error| errors::build(error, &store))?);
    }
    if let Some(bound) = &prepared.bound {
        bound.still_same().map_err(errors::source)?;
    }

    voice.event(Event::Signing);
    let why = |built: &Built| not_checked_because(arguments, &key, built);
    let seen = Seen { log: log.as_ref(), stamps: stamps.as_ref() };
    let made = Made::sign(builds, &prepared.inputs, why, key.signer.as_ref(), &seen, extent, &store)?;
    if let Some(log) = &log {
        voice.say("enter", &format!("what was signed into the log `{}`", log.key().origin()));
    }
    let run_record = made.run_record(key.signer.as_ref(), &started)?;
    publish(&made, &run_record, &output, arguments, &store)?;
    let done = made.summary();
    if let Some(standing) = &standing {
        standing.note(&made.release, &run_record, &done);
    }

    if let Some(shared) = &cache_to {
        let steps = made.builds.iter().flat_map(|built| &built.record.steps);
        let actions: Vec<_> = steps.map(|step| step.action).collect();
        shared::leave(shared, &actions, &store, &voice);
    }
    if let Some(engine) = arguments.load {
        load(engine, &made, &store)?;
    }
    if let Some((reference, target)) = &push_to {
        push(&output, reference, target, &project)?;
    }
    side_files(arguments, request, &done, &output)?;
    summary("built", arguments, request, &done, &key, &output, &started, &voice);
    Ok(Exit::Yes)
}

fn key(arguments: &Build, settings: &Settings, voice: &Voice, relaxed: bool) -> Answer<Key> {
    if let Some(key) = &arguments.key {
        return keys::signer(key, relaxed);
    }
    if !arguments.dev_key && (settings.ci || !settings.terminal) {
        let why = if settings.ci { "CI is set" } else { "there is no terminal" };
        let report = Report::new(Exit::Unanswered, format!("no key was given, and {why}"))
            .consequence(crate::report::NOTHING_BUILT)
            .hint("pass `--key FILE`, `--key env:NAME` or `--key exec:COMMAND`; `selfsame keygen` makes a key")
            .hint("or `--dev-key`, to try: such releases are refused unless that very key is given");
        return Err(report.into());
    }
    let (key, made) = keys::development(settings, relaxed)?;
    if made {
        voice.say("key", "a development key was made for this machine; releases by it are for trying out");
    }
    Ok(key)
}

fn level(text: &str) -> Answer<Level> {
    match text.parse::<Level>() {
        Ok(level @ (Level::Isolated | Level::Normalized)) => Ok(level),
        Ok(level) => Err(Report::new(Exit::Unanswered, format!("level `{level}` is not available in this version"))
            .hint("use `--level normalized`; `selfsame help levels` says what it promises")
            .into()),
        Err(error) => Err(Report::new(Exit::Unanswered, error.to_string()).into()),
    }
}

fn relaxations(arguments: &Build) -> Answer<BTreeMap<String, String>> {
    let reason = arguments.reason.clone().unwrap_or_default();
    let mut relaxations = BTreeMap::new();
    for name in &arguments.relax {
        if name.parse::<selfsame_sandbox::Relaxation>().is_err() {
            let report = Report::new(Exit::Unanswered, format!("there is no relaxation `{name}`"))
                .hint("there are `proc` and `aslr`: `selfsame help levels`");
            return Err(report.into());
        }
        if reason.trim().is_empty() {
            let report = Report::new(Exit::Unanswered, format!("relaxation `{name}` has no reason"))
                .hint(format!("`--relax {name} --reason TEXT`: the text stands in the signed provenance"));
            return Err(report.into());
        }
        relaxations.insert(name.clone(), reason.clone());
    }
    Ok(relaxations)
}

/// Where the release goes, absolute.
fn output(arguments: &Build, project: &Project<'_>) -> PathBuf {
    let default = || {
        let definition = &project.definition;
        project.settings.folder.join(format!("{}-{}.release", definition.name, definition.version))
    };
    let output = arguments.output.clone().unwrap_or_else(default);
    if output.is_absolute() { output } else { project.settings.folder.join(output) }
}

/// Finds out before the build, not after it, that nothing could be put there.
fn refuse_output(output: &Path) -> Answer<()> {
    if output.symlink_metadata().is_ok()
        && let Err(source) = selfsame_store::is_release(output)
    {
        return Err(errors::publish(selfsame_store::PublishError::Exists { path: output.to_owned(), source }));
    }
    Staging::beside(output).map(drop).map_err(errors::publish)
}

/// A release that a release key signed is not replaced by one for trying out.
fn refuse_to_demote(output: &Path, key: &Key) -> Answer<()> {
    if !key.development || output.symlink_metadata().is_err() {
        return Ok(());
    }
    let files = crate::files::open(output)?;
    let Ok(statements) = super::inspect::statements(files.as_ref()) else { return Ok(()) };
    let provenance = statements.get(uri::PROVENANCE);
    let provenance: Option<selfsame_attest::Provenance> = provenance.and_then(|it| it.predicate_as().ok());
    match provenance.map(|provenance| provenance.run_details.builder.id) {
        Some(builder) if !builder.starts_with(uri::BUILDER_DEV) => {
            let fault =
                format!("`{}` is a release by a release key; a development key would replace it", output.display());
            Err(Report::new(Exit::Unanswered, fault)
                .fact("builder", builder)
                .consequence(crate::report::NOTHING_BUILT)
                .hint("choose another folder with `-o`, or move the release away")
                .into())
        }
        _ => Ok(()),
    }
}

/// What earlier builds left in the source folder is no part of the source.
fn own_outputs(project: &Project<'_>, output: &Path, archive: Option<&Path>, log: Option<&Log>) -> Vec<PathBuf> {
    let mut outputs = vec![output.to_owned()];
    outputs.extend(archive.map(|path| project.settings.folder.join(path)));
    outputs.extend(log.into_iter().flat_map(|log| log::paths(log.path())));
    if let selfsame_definition::SourceOrigin::Path { path } = &project.definition.source.origin {
        let folder = project.folder.join(path);
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if selfsame_store::LogFolder::open(&path).is_ok() {
                // With or without `--log`, so that a release does not depend on it.
                outputs.extend(log::paths(&path));
            } else if selfsame_store::is_release(&path).is_ok() || selfsame_store::is_staging(&path) {
                outputs.push(path);
            }
        }
    }
    outputs
}

/// The source is published with the release, in its capsule: no key that signs may be in it.
fn refuse_own_keys(prepared: &prepare::Prepared, key: &Key, log: Option<&Log>) -> Answer<()> {
    let tree = &prepared.inputs[0].source;
    let keys: Vec<_> = key.content.into_iter().chain(log.and_then(|log| log.content)).collect();
    let holds = |path: &str| tree.content(path).is_some_and(|(digest, _)| keys.contains(&digest));
    let Some((path, _)) = tree.iter().find(|(path, _)| !keys.is_empty() && holds(path.as_str())) else {
        return Ok(());
    };
    Err(Report::new(Exit::Unanswered, "the key that signs is a file of the source, and would be published with it")
        .fact("file", path)
        .consequence(crate::report::NOTHING_BUILT)
        .hint(format!("move `{path}` out of the source; if it was ever committed or shared, make a new key"))
        .into())
}

fn refuse_dirty(prepared: &prepare::Prepared, arguments: &Build, key: &Key) -> Answer<()> {
    let Some(git) = prepared.bound.as_ref().and_then(|bound| bound.git.as_ref()).filter(|git| git.dirty) else {
        return Ok(());
    };
    if key.development || arguments.allow_dirty {
        return Ok(());
    }
    let mut report =
        Report::new(Exit::Unanswered, "the source has changes that no commit holds, and this is a release key")
            .fact("commit", &git.commit);
    for path in git.dirty_paths.iter().take(8) {
        report = report.fact("changed", path);
    }
    Err(report
        .consequence(crate::report::NOTHING_BUILT)
        .hint("commit the changes, or pass `--allow-dirty`: the provenance then says that the source was dirty")
        .into())
}

fn not_checked_because(arguments: &Build, key: &Key, built: &Built) -> Option<&'static str> {
    match () {
        () if built.checked => None,
        () if arguments.no_check => Some("--no-check"),
        () if key.development => Some("development key"),
        () => Some("no second run"),
    }
}

fn signing(error: selfsame_attest::SignError) -> Box<Report> {
    Report::new(Exit::Unanswered, error.to_string()).consequence("Nothing was published.").into()
}

/// Folder and archive, each by one rename, and neither before all of both is written.
fn publish(made: &Made, run_record: &[u8], output: &Path, arguments: &Build, store: &Store) -> Answer<()> {
    let staging = Staging::beside(output).map_err(errors::publish)?;
    let folder = staging.create_dir().map_err(errors::publish)?;
    made.release.write(&folder, store).map_err(|error| errors::build(error, store))?;
    let path = folder.join(RUN_RECORD);
    std::fs::write(&path, run_record)
        .map_err(|error| Report::new(Exit::Unanswered, format!("cannot write the run record: {error}")))?;
    let mut stagings = vec![staging];
    if let Some(archive) = &arguments.archive {
        let staging = Staging::beside(archive).map_err(errors::publish)?;
        let mut file = std::fs::File::create_new(staging.path()).map(std::io::BufWriter::new).map_err(archive_fault)?;
        write_archive(made, None, store, &mut file)?;
        file.flush().map_err(archive_fault)?;
        stagings.push(staging);
    }
    selfsame_store::publish_all(stagings, Replace::Release).map_err(errors::publish)?;
    Ok(())
}

fn archive_fault(error: std::io::Error) -> Box<Report> {
    Report::new(Exit::Unanswered, format!("cannot write the archive: {error}"))
        .consequence("Nothing was published.")
        .into()
}

/// The release as one tar, with Docker's `manifest.json`: for all platforms, or for one of several.
fn write_archive(made: &Made, for_one: Option<&Platform>, store: &Store, out: &mut impl std::io::Write) -> Answer<()> {
    let epoch = made.request().epoch;
    let written = made.release.write_archive(&made.subject, for_one, epoch, store, out);
    written.map_err(|error| errors::build(error, store))
}

/// Of several platforms the one of this machine is loaded; there has to be one, and that is found out before building.
fn refuse_load(arguments: &Build, inputs: &[Inputs]) -> Answer<()> {
    let native = Platform::native();
    let is_native = |inputs: &Inputs| selfsame_oci::same_platform(&inputs.request.platform, &native);
    if arguments.load.is_none() || inputs.len() < 2 || inputs.iter().any(is_native) {
        return Ok(());
    }
    let report = Report::new(Exit::Unanswered, format!("none of the platforms is this machine's, {native}"))
        .consequence(crate::report::NOTHING_BUILT)
        .hint("`--load` loads the image for this machine; without it the release has all of them");
    Err(report.into())
}

/// Pipes the archive into `docker load` or `podman load`.
fn load(engine: Engine, made: &Made, store: &Store) -> Answer<()> {
    let program = match engine {
        Engine::Docker => "docker",
        Engine::Podman => "podman",
    };
    let fault = |fault: String| {
        Report::new(Exit::Unanswered, format!("`{program} load`: {fault}"))
            .consequence("The release itself is published.")
    };
    let mut child = std::process::Command::new(program)
        .arg("load")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .map_err(|error| fault(format!("it could not be started: {error}")))?;
    let stdin = child.stdin.take().ok_or_else(|| fault("it has no standard input".to_owned()))?;
    let mut stdin = std::io::BufWriter::with_capacity(1 << 20, stdin);
    let for_one = made.subject.index.as_ref().and_then(|_| made.image_for(&Platform::native()));
    let written = write_archive(made, for_one.as_ref(), store, &mut stdin);
    drop(stdin);
    let status = child.wait().map_err(|error| fault(error.to_string()))?;
    if !status.success() {
        return Err(fault(format!("it ended with {status}")).into());
    }
    written
}

/// Pushes the release that is published. The inputs in it, the source among them, stay here: `selfsame push
/// --with-capsule` pushes them.
fn push(output: &Path, reference: &Reference, target: &Target, project: &Project<'_>) -> Answer<()> {
    let push = super::push::ReleasePush { release: output, with_capsule: false, key: None, network: &project.network };
    push.to(reference, target, project.settings, project.voice).map_err(|mut report| {
        let there = report.consequence.take().unwrap_or_default();
        report.consequence = Some(format!("`{}` is published and whole. {there}", output.display()).trim().to_owned());
        report.hints.push(format!("selfsame push {} {reference}", errors::quoted(output)));
        report
    })?;
    Ok(())
}

fn side_files(arguments: &Build, request: &Request, done: &Summary, output: &Path) -> Answer<()> {
    let write = |path: &Path, text: &str| prepare::write_text(path, text);
    if let Some(path) = &arguments.iidfile {
        write(path, &done.image.to_string())?;
    }
    if let Some(path) = &arguments.metadata_file {
        write(path, &(metadata(request, done, output) + "\n"))?;
    }
    Ok(())
}

fn metadata(request: &Request, done: &Summary, output: &Path) -> String {
    let mut body = json!({
        "builderId": request.builder_id,
        "checked": done.checked,
        "class": "built",
        "image": done.image,
        "level": done.level,
        "name": request.name,
        "profile": request.profile.number(),
        "release": output.display().to_string(),
        "releaseId": done.release_id,
        "version": request.version,
    });
    if !done.images.is_empty() {
        body["platforms"] = json!(done.images);
    }
    with_schema("https://selfsame.dev/built/v1", &body)
}

#[expect(clippy::too_many_arguments, reason = "all that is known at the end is said here")]
fn summary(
    word: &str,
    arguments: &Build,
    request: &Request,
    done: &Summary,
    key: &Key,
    output: &Path,
    started: &Started,
    voice: &Voice,
) {
    if arguments.json {
        terminal::data(&metadata(request, done, output));
        return;
    }
    let shown = output.strip_prefix(std::path::absolute(".").unwrap_or_default()).unwrap_or(output);
    voice.say(word, &format!("{} in {}", shown.display(), seconds(started.elapsed_millis())));
    if arguments.progress == terminal::Verbosity::Quiet {
        terminal::data(&done.image.to_string());
        return;
    }
    let several = match done.images.len() {
        0 => String::new(),
        count => format!("{count} platforms, "),
    };
    let mut text = format!(
        "image    {}  ({}:{}, {several}{} in {} files)\n",
        done.image,
        request.name,
        request.version,
        size(done.layer_bytes),
        done.files,
    );
    for (platform, image) in &done.images {
        text += &format!("         {image}  {platform}\n");
    }
    terminal::data(&format!("{text}release  {}", done.release_id));
    let public = key.public_file.as_deref().map_or_else(|| "KEY.pub".to_owned(), errors::quoted);
    let release = errors::quoted(shown);
    let program = program_name();
    let bad = errors::quoted(&shown.with_extension("tampered"));
    let log_key = arguments.log.log.as_deref().and_then(|log| log::beside(log, ".pub").ok());
    let log_key = log_key.map(|file| format!(" --log-key {}", errors::quoted(&file))).unwrap_or_default();
    terminal::talk(&format!(
        "\ntry:\n  {program} verify {release} --key {public}{log_key}\n  {program} rebuild-verify {release} --key {public}\n  \
         {program} tamper {release} -o {bad} && {program} verify {bad} --key {public}   # must fail"
    ));
    if request.builder_id.starts_with(uri::BUILDER_DEV) {
        terminal::talk("\nThis release is signed by this machine's development key: fine to try, not to ship.");
    }
}

/// How this program was called, for commands to paste.
fn program_name() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if called.components().count() > 1 { errors::quoted(&called) } else { "selfsame".to_owned() }
}
