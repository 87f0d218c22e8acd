//! `rollcall evidence prune`: what has been kept long enough is exported, and then deleted from the cluster by the one who
//! asks for it, with rights of their own. No identity of Rollcall deletes evidence.
//!
//! The marker of the start is written first, and the records go from the oldest on. So whatever is there at any moment hangs
//! together up to the head, and an interrupted prune is finished by the next.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{DeleteParams, Preconditions};

use super::chain::{self, Chain, Stored};
use super::{Trust, folder, verify};
use crate::api::{names, quantity};
use crate::cli::cluster::Cluster;
use crate::cli::cluster::whoami;
use crate::cli::terminal::{confirm, many, plain, say};
use crate::cli::{Failure, ask, told};
use crate::kube::calls;
use crate::kube::named::Api;
use crate::kube::swap::{self, OwnConfigMap};
use domain::evidence::{self, Decision, Head, KEPT_AT_LEAST, Prune, Record, Standing, Start};

/// The marker of the start.
const START: OwnConfigMap<'_> =
    OwnConfigMap { name: names::EVIDENCE_START, part: "start", doing: "write the marker of the start" };

/// Options of `rollcall evidence prune`.
#[derive(Debug, Args)]
pub struct Options {
    /// How long ago a record must have been sealed, such as 400d; at least 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: SignedDuration,
    /// The folder that all records are exported to first, as `export` does
    #[arg(long)]
    dir: PathBuf,
    /// Show what would be deleted, and neither export nor delete anything
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    cluster: Cluster,
}

fn age(text: &str) -> Result<SignedDuration, String> {
    let age = quantity::duration("older-than", text).map_err(|error| error.to_string())?;
    if age < KEPT_AT_LEAST { Err("evidence is kept for 30d at least".to_owned()) } else { Ok(age) }
}

/// Deletes the records from the beginning of the chain that are old enough.
///
/// # Flow          read and verify; export; decide, show, ask; the marker by compare-and-swap; the records, the oldest first
/// # Guarantees    only records that are in the folder, byte for byte, are deleted, and only by their uid; never the last one, and
///                 none whose Revocation is still there; stopped at any point, the chain verifies, and the next call goes on
/// # Assumptions   the chart's policies `records` and `prune` are installed
/// # Errors        the chain is broken; the folder differs; somebody else pruned meanwhile; whatever the API server says
pub async fn run(options: &Options) -> Result<(), Failure> {
    prune(options.cluster.client().await?, options, calls::now()).await
}

async fn prune(client: Client, options: &Options, now: Timestamp) -> Result<(), Failure> {
    let namespace = options.cluster.namespace();
    let revocations = chain::revocations(&client, namespace).await?;
    let mut chain = chain::read(&client, namespace).await?;
    let head = chain.head.get_or_insert_with(Head::genesis).clone();
    verify(&chain, revocations.ended, &Trust::default())?;
    if !options.dry_run {
        let written = folder::export(&options.dir, &chain)?;
        let records = many(chain.records.len(), "record", "records");
        say(&format!("{records} in {}, {written} of them new.", options.dir.display()));
    }
    let standing = chain.records.iter().map(|record| Standing {
        name: &record.name,
        text: &record.text,
        of: record.of.as_deref().unwrap_or_default(),
    });
    let decision = evidence::decide(standing, &chain.pruned(), &head, &revocations.present, options.older_than, now);
    let going = going(&chain, &decision.last);
    say(&shown(&chain, &decision, &going));
    if going.is_empty() || options.dry_run {
        return Ok(());
    }
    let user = whoami(client.clone()).await?;
    if !options.yes {
        confirm(&format!("Delete {} from the cluster as {}?", records(going.len()), plain(&user)))?;
    }
    let going = secured(&options.dir, going)?;
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    if let Some(oldest) = going.first() {
        delete(&api, oldest, true).await?; // no marker for what may not be deleted
    }
    if decision.last != chain.pruned() {
        mark(&api, &chain, &options.dir, decision.last, user, now).await?;
    }
    for record in &going {
        delete(&api, record, false).await?;
    }
    say(&format!("{} deleted from the cluster.", records(going.len())));
    Ok(())
}

/// The records up to the last one that goes, the oldest first; those that an interrupted prune left are among them.
fn going(chain: &Chain, last: &Head) -> Vec<Stored> {
    let end = evidence::name(last.index);
    let mut going: Vec<Stored> = chain.records.iter().filter(|record| record.name <= end).cloned().collect();
    going.sort_by(|one, other| one.name.cmp(&other.name));
    going
}

/// What goes, and why no more of it.
fn shown(chain: &Chain, decision: &Decision, going: &[Stored]) -> String {
    let sealed = |record: &Stored| serde_json::from_str::<Record>(&record.text).ok().map(|record| record.body.sealed);
    let mut lines = Vec::new();
    let left = going.iter().filter(|record| record.name <= evidence::name(chain.pruned().index)).count();
    if left > 0 {
        lines.push(format!("{} of an interrupted prune are still there, and go.", records(left)));
    }
    let new = going.get(left..).unwrap_or_default();
    match (new.first().and_then(sealed), new.last().and_then(sealed)) {
        (Some(first), Some(last)) => {
            let (from, to) = (chain.pruned().index.saturating_add(1), decision.last.index);
            lines.push(format!("Records {from} to {to} go: sealed from {first} to {last}."));
        }
        _ if left > 0 => {}
        _ => lines.push("No record goes.".to_owned()),
    }
    lines.push(format!("No more: {}.", plain(&decision.stays.to_string())));
    lines.join("\n")
}

fn records(count: usize) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// A record that is in the folder, byte for byte and on the disk. Nothing else is deleted.
#[derive(Debug)]
struct Secured(Stored);

fn secured(dir: &Path, going: Vec<Stored>) -> Result<Vec<Secured>, Failure> {
    let on_disk = |record: Stored| {
        let path = folder::file(dir, &record.name);
        let failure = |error: std::io::Error| Failure::file(&path, error);
        let mut file = File::open(&path).map_err(failure)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failure)?;
        if bytes != record.text.as_bytes() {
            return Err(Failure::file(&path, "it is not the record of the cluster; nothing was deleted"));
        }
        file.sync_all().map_err(failure)?;
        Ok(Secured(record))
    };
    let secured = going.into_iter().map(on_disk).collect::<Result<_, _>>()?;
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(|error| Failure::file(dir, error))?;
    Ok(secured)
}

/// Writes into the cluster that everything up to this record was pruned, over exactly the marker that was read, and into the
/// folder.
async fn mark(
    api: &Api<ConfigMap>,
    chain: &Chain,
    dir: &Path,
    last: Head,
    by: String,
    now: Timestamp,
) -> Result<(), Failure> {
    if by.chars().any(char::is_control) {
        return Err(Failure::Refused(
            "your user name has control characters, and cannot stand in the marker".to_owned(),
        ));
    }
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now); // the policy wants whole seconds
    let newest = Prune { from: chain.pruned().index.saturating_add(1), last, at, by };
    let start = Start::after(chain.start.as_ref(), newest);
    match swap::write(api, START, chain.marker.clone(), start.data()).await {
        Ok(_) => {}
        Err(fault) if fault.is_conflict() => {
            return Err(Failure::Refused("somebody else pruned meanwhile: run this again".to_owned()));
        }
        Err(fault) => return Err(told(START.doing, fault)),
    }
    folder::export(dir, &Chain { head: chain.head.clone(), start: Some(start), ..Chain::default() }).map(drop)
}

/// Deletes a record by its uid, or asks whether it could be. One that is gone was deleted by another prune.
#[allow(
    clippy::disallowed_methods,
    reason = "what a human deletes, with their own rights: a record that was exported, and no access of anybody"
)]
async fn delete(api: &Api<ConfigMap>, Secured(record): &Secured, rehearsal: bool) -> Result<(), Failure> {
    let exactly = Preconditions { uid: record.uid.clone(), resource_version: None };
    let params = DeleteParams { preconditions: Some(exactly), dry_run: rehearsal, ..DeleteParams::default() };
    match ask("delete a record; run this again", api.delete(&record.name, &params)).await {
        Ok(_) | Err(Failure::Server { code: 404, .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests;
