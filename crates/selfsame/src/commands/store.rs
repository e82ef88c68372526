//! `selfsame store`: check, measure, collect.

use std::path::PathBuf;

use selfsame_store::{Class, Keep, Progress, StoreError};
use serde_json::{Value, json};

use super::errors;
use super::kept::kept;
use crate::cli::StoreCommand;
use crate::prepare;
use crate::report::{Answer, Exit, Report, with_schema};
use crate::settings::{Settings, monotonic};
use crate::terminal::{self, size};

pub(super) fn run(arguments: &StoreCommand, settings: &Settings) -> Answer {
    match arguments {
        StoreCommand::Check { json } => check(*json, settings),
        StoreCommand::Du { json } => du(*json, settings),
        StoreCommand::Gc { max_size, keep_locked, json } => gc(*max_size, keep_locked.as_deref(), *json, settings),
    }
}

fn check(json: bool, settings: &Settings) -> Answer {
    settings.json.set(json);
    let store = prepare::store(settings)?;
    let start = monotonic();
    let report = store.check(&mut |_: Progress| {}).map_err(errors::store)?;
    let seconds = start.elapsed().as_secs_f64();
    let speed = report.bytes as f64 / seconds.max(1e-9);
    let clean = report.is_clean();
    let mut faults: Vec<String> = report.corrupt.iter().map(|digest| format!("blob {digest} was damaged")).collect();
    faults.extend(report.damaged_trees.iter().map(|(tree, path)| format!("tree {tree} was changed at `{path}`")));
    faults.extend(report.damaged_records.iter().map(|path| format!("record `{}` was cut short", path.display())));
    faults.extend(report.unknown.iter().map(|path| format!("`{}` is no part of a store", path.display())));
    let class = if clean { "ok" } else { "damaged" };
    if json {
        let body = json!({
            "blobs": report.blobs, "bytes": report.bytes, "bytesPerSecond": speed.round(), "class": class,
            "faults": faults, "records": report.records, "seconds": seconds, "trees": report.trees,
        });
        terminal::data(&with_schema("https://selfsame.dev/store-check/v1", &body));
    } else {
        for fault in &faults {
            terminal::data(fault);
        }
        let (blobs, trees, bytes) = (report.blobs, report.trees, size(report.bytes));
        let end =
            if clean { "everything is as it is named" } else { "what was damaged is set aside and can be had anew" };
        let speed = speed / 1e9;
        terminal::data(&format!("{blobs} blobs and {trees} trees, {bytes} at {speed:.2} GB/s: {end}"));
    }
    Ok(if clean { Exit::Yes } else { Exit::No })
}

fn du(json: bool, settings: &Settings) -> Answer {
    settings.json.set(json);
    let usage = prepare::store(settings)?.du().map_err(errors::store)?;
    let classes = [
        ("inputs", usage.inputs, "as they were fetched, and what nothing names"),
        ("files", usage.files, "of sources, toolchains, unpacked inputs and outputs"),
        ("results", usage.results, "layers, documents and logs of builds"),
        ("trees", usage.trees, "ready to be mounted, beside the files that they share"),
        ("records", usage.records, "action results and stamps of sources"),
        ("lists", usage.lists, "of packages, for whoever chooses them"),
        ("waste", usage.waste, "damaged or temporary"),
    ];
    if json {
        let class = |class: Class| json!({"bytes": class.bytes, "count": class.count});
        let classes: serde_json::Map<String, Value> =
            classes.iter().map(|(name, of, _)| ((*name).to_owned(), class(*of))).collect();
        let body = json!({"blobs": usage.blobs, "bytes": usage.bytes(), "classes": classes});
        terminal::data(&with_schema("https://selfsame.dev/store-usage/v1", &body));
    } else {
        for (name, class, what) in classes {
            terminal::data(&format!("{name:8} {:>10} {:>8}  {what}", size(class.bytes), class.count));
        }
        terminal::data(&format!("{:8} {:>10}", "all", size(usage.bytes())));
    }
    Ok(Exit::Yes)
}

fn gc(max_size: Option<u64>, keep_locked: Option<&[PathBuf]>, json: bool, settings: &Settings) -> Answer {
    settings.json.set(json);
    if max_size.is_none() && keep_locked.is_none() {
        let report = Report::new(Exit::Unanswered, "nothing says what should stay")
            .consequence("Nothing was removed.")
            .hint("`selfsame store gc --max-size 20GiB` removes what was used longest ago until the rest fits")
            .hint("`selfsame store gc --keep-locked PATH...` keeps what the locks of these projects name");
        return Err(report.into());
    }
    let mut store = prepare::store(settings)?;
    let keep = match keep_locked {
        Some(projects) => kept(projects, &store, settings)?,
        None => Keep { stat_caches: true, ..Keep::default() },
    };
    let named = keep.blobs.len();
    let removed = match max_size {
        Some(max_bytes) => store.shrink(max_bytes, &keep),
        None => store.gc(&keep),
    };
    let removed = removed.map_err(|error| match error {
        StoreError::Busy { .. } => Report::new(Exit::NotNow, error.to_string())
            .consequence("Nothing was removed.")
            .hint("try again when no build and no other command uses the store")
            .into(),
        other => errors::store(other),
    })?;
    let fits = max_size.is_none_or(|max_bytes| removed.bytes_left <= max_bytes);
    if json {
        let body = json!({
            "blobs": removed.blobs, "bytes": removed.bytes, "bytesLeft": removed.bytes_left,
            "class": if fits { "ok" } else { "full" }, "corrupt": removed.corrupt, "lists": removed.lists, "named": named,
            "records": removed.records, "trees": removed.trees,
        });
        terminal::data(&with_schema("https://selfsame.dev/store-gc/v1", &body));
    } else {
        terminal::data(&format!(
            "removed {} blobs, {} trees, {} records, {} lists: {}; {} are left",
            removed.blobs,
            removed.trees,
            removed.records,
            removed.lists,
            size(removed.bytes),
            size(removed.bytes_left)
        ));
        if !fits {
            let why = if keep_locked.is_some() { "the locks name it, or it is in use" } else { "it is in use" };
            terminal::data(&format!("what is left is more than that: {why}"));
        }
    }
    Ok(if fits { Exit::Yes } else { Exit::No })
}
