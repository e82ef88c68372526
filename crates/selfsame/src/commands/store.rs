//! `selfsame store`: check, measure, collect.

use std::collections::BTreeSet;
use std::path::PathBuf;

use selfsame_core::Digest;
use selfsame_lock::{HostLock, Lock};
use selfsame_store::{Keep, Progress};
use serde_json::json;

use super::errors;
use crate::cli::StoreCommand;
use crate::prepare::{self, read_definition, read_text};
use crate::report::{Answer, Exit, Report, with_schema};
use crate::settings::Settings;
use crate::terminal::{self, size};

pub(super) fn run(arguments: &StoreCommand, settings: &Settings) -> Answer {
    match arguments {
        StoreCommand::Check { json } => check(*json, settings),
        StoreCommand::Du { json } => du(*json, settings),
        StoreCommand::Gc { keep } => gc(keep, settings),
    }
}

fn check(json: bool, settings: &Settings) -> Answer {
    settings.json.set(json);
    let store = prepare::store(settings)?;
    let report = store.check(&mut |_: Progress| {}).map_err(errors::store)?;
    let clean = report.is_clean();
    let mut faults: Vec<String> = report.corrupt.iter().map(|digest| format!("blob {digest} was damaged")).collect();
    faults.extend(report.damaged_trees.iter().map(|(tree, path)| format!("tree {tree} was changed at `{path}`")));
    faults.extend(report.damaged_records.iter().map(|path| format!("record `{}` was cut short", path.display())));
    faults.extend(report.unknown.iter().map(|path| format!("`{}` is no part of a store", path.display())));
    let class = if clean { "ok" } else { "damaged" };
    if json {
        let body = json!({
            "blobs": report.blobs, "bytes": report.bytes, "class": class, "faults": faults,
            "records": report.records, "trees": report.trees,
        });
        terminal::data(&with_schema("https://selfsame.dev/store-check/v1", &body));
    } else {
        for fault in &faults {
            terminal::data(fault);
        }
        let (blobs, trees, bytes) = (report.blobs, report.trees, size(report.bytes));
        let end =
            if clean { "everything is as it is named" } else { "what was damaged is set aside and can be had anew" };
        terminal::data(&format!("{blobs} blobs and {trees} trees, {bytes}: {end}"));
    }
    Ok(if clean { Exit::Yes } else { Exit::No })
}

fn du(json: bool, settings: &Settings) -> Answer {
    settings.json.set(json);
    let usage = prepare::store(settings)?.du().map_err(errors::store)?;
    let total = usage.blob_bytes + usage.tree_bytes + usage.record_bytes + usage.waste_bytes;
    if json {
        let body = json!({
            "actions": usage.actions, "blobBytes": usage.blob_bytes, "blobs": usage.blobs, "bytes": total,
            "recordBytes": usage.record_bytes, "treeBytes": usage.tree_bytes, "trees": usage.trees,
            "wasteBytes": usage.waste_bytes,
        });
        terminal::data(&with_schema("https://selfsame.dev/store-usage/v1", &body));
    } else {
        terminal::data(&format!("blobs    {:>10}  {}", size(usage.blob_bytes), usage.blobs));
        terminal::data(&format!("trees    {:>10}  {}", size(usage.tree_bytes), usage.trees));
        terminal::data(&format!("records  {:>10}  {} action results", size(usage.record_bytes), usage.actions));
        terminal::data(&format!("waste    {:>10}", size(usage.waste_bytes)));
        terminal::data(&format!("all      {:>10}", size(total)));
    }
    Ok(Exit::Yes)
}

fn gc(projects: &[PathBuf], settings: &Settings) -> Answer {
    if projects.is_empty() {
        let report = Report::new(Exit::Unanswered, "no project was named whose inputs should stay")
            .consequence("Nothing was removed.")
            .hint("selfsame store gc PROJECT...");
        return Err(report.into());
    }
    let mut keep: BTreeSet<Digest> = BTreeSet::new();
    for project in projects {
        let (folder, _, _, _) = read_definition(project)?;
        let path = folder.join(Lock::FILE_NAME);
        if let Some(text) = read_text(&path)? {
            let lock = Lock::parse(&text).map_err(|error| errors::text(&path, &error))?;
            keep.extend(lock.parts().map(|(_, part)| part.sha256));
        }
        let path = folder.join(HostLock::FILE_NAME);
        if let Some(text) = read_text(&path)? {
            let lock = HostLock::parse(&text).map_err(|error| errors::text(&path, &error))?;
            keep.extend(lock.toolchains.values().map(|toolchain| toolchain.tree));
        }
    }
    let mut store = prepare::store(settings)?;
    let trees: BTreeSet<Digest> = keep.iter().filter(|digest| store.tree(digest).is_ok()).copied().collect();
    let mut blobs = keep;
    for tree in &trees {
        blobs.extend(store.tree(tree).map_err(errors::store)?.contents().into_keys());
    }
    let keep = Keep { blobs, trees, actions: BTreeSet::new(), stat_caches: true };
    let removed = store.gc(&keep).map_err(errors::store)?;
    terminal::data(&format!(
        "removed {} blobs, {} trees, {} records: {}",
        removed.blobs,
        removed.trees,
        removed.records,
        size(removed.bytes)
    ));
    Ok(Exit::Yes)
}
