//! `rollcall evidence`: checks the chain of records, in the cluster or in a folder they were exported to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kube::named::Api;
use clap::{Args, Subcommand};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Client, ResourceExt};

use super::cluster::Cluster;
use super::terminal::{plain, say};
use super::{Failure, ask};
use crate::api::{Revocation, names};
use domain::evidence::{self, Closed, Head, Summary};

/// Records asked for at once.
const PAGE: u32 = 250;
/// How often the cluster is read again when a record was sealed meanwhile.
const TRIES: u32 = 5;

/// What to do with the evidence.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify every record and the hash chain
    Verify(Verify),
    /// Write all records and the head of the chain into a folder
    Export(Export),
}

/// Options of `rollcall evidence verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Verify the records in this folder, without a cluster
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    cluster: Cluster,
}

/// Options of `rollcall evidence export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The folder; records that were exported before are kept and compared
    #[arg(long)]
    dir: PathBuf,
    #[command(flatten)]
    cluster: Cluster,
}

/// Records by name and text, and the head, if there is one.
#[derive(Debug, Default)]
struct Chain {
    records: Vec<(String, String)>,
    head: Option<Head>,
}

/// Verifies or exports.
///
/// # Errors
/// When the chain is broken, or something that ended is not in it, each in its own line; when it cannot be read or written.
pub async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Verify(Verify { dir: Some(dir), .. }) => {
            let chain = folder(dir)?;
            if chain.head.is_none() {
                say("The folder has no head, so missing records at the end cannot be noticed.");
            }
            report(verify(&chain, Vec::new())?);
        }
        Command::Verify(Verify { dir: None, cluster }) => {
            let client = cluster.client().await?;
            let closed = closed(&client, cluster.namespace()).await?; // first: a record is there before its seal is named
            let mut chain = read(&client, cluster.namespace()).await?;
            chain.head.get_or_insert_with(Head::genesis); // a chain without a head has no records
            report(verify(&chain, closed)?);
        }
        Command::Export(Export { dir, cluster }) => {
            let chain = read(&cluster.client().await?, cluster.namespace()).await?;
            let written = export(dir, &chain)?;
            say(&format!("{} records in {}, {written} of them new.", chain.records.len(), dir.display()));
        }
    }
    Ok(())
}

fn report(summary: Summary) {
    say(&format!("{} records verify, head {} {}", summary.records, summary.head.index, summary.head.hash));
}

/// Checks the chain, and that each of those that ended is in it.
fn verify(chain: &Chain, ended: Vec<Closed>) -> Result<Summary, Failure> {
    let records = || chain.records.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let unsealed = evidence::closed(ended, records());
    let whole = match evidence::verify(records(), chain.head.as_ref()) {
        Ok(summary) if unsealed.is_empty() => Ok(summary),
        Ok(_) => Err(unsealed),
        Err(broken) => Err([broken, unsealed].concat()),
    };
    whole.map_err(|broken| {
        for finding in &broken {
            eprintln!("{}", plain(&finding.to_string()));
        }
        Failure::Refused(format!("the evidence is broken in {} places", broken.len()))
    })
}

/// Reads the chain from the cluster: all records between two equal reads of the head, so that one sealed meanwhile is
/// not taken for tampering.
async fn read(client: &Client, namespace: &str) -> Result<Chain, Failure> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    for _ in 0..TRIES {
        let before = head(&api).await?;
        let records = records(&api).await?;
        if before == head(&api).await? {
            return Ok(Chain { records, head: before });
        }
    }
    Err(Failure::Refused("new records are written all the time: try again".to_owned()))
}

async fn head(api: &Api<ConfigMap>) -> Result<Option<Head>, Failure> {
    let Some(found) = ask("read the head of the chain", api.get_opt(names::EVIDENCE_HEAD)).await? else {
        return Ok(None);
    };
    let unreadable = || Failure::Refused(format!("{} is damaged: it has no index and hash", names::EVIDENCE_HEAD));
    found.data.as_ref().and_then(Head::read).map(Some).ok_or_else(unreadable)
}

async fn records(api: &Api<ConfigMap>) -> Result<Vec<(String, String)>, Failure> {
    let mut page = ListParams::default().labels(&format!("{}={}", names::PART, evidence::PART)).limit(PAGE);
    let mut records = Vec::new();
    loop {
        let found = ask("list the records", api.list(&page)).await?;
        records.extend(found.items.into_iter().map(|map| {
            let text = map.data.and_then(|mut data| data.remove(evidence::KEY)).unwrap_or_default();
            (map.metadata.name.unwrap_or_default(), text)
        }));
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(records),
        }
    }
}

/// The Revocations that have come to their end, with the record that each names.
async fn closed(client: &Client, namespace: &str) -> Result<Vec<Closed>, Failure> {
    let api: Api<Revocation> = Api::namespaced(client.clone(), namespace);
    let mut page = ListParams::default().limit(PAGE);
    let mut closed = Vec::new();
    loop {
        let found = ask("list the Revocations", api.list(&page)).await?;
        closed.extend(found.items.iter().filter_map(ended));
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(closed),
        }
    }
}

fn ended(revocation: &Revocation) -> Option<Closed> {
    let status = revocation.status.as_ref()?;
    let phase = status.phase.filter(|phase| phase.ended())?;
    let record = status.evidence.as_ref().map(|evidence| (evidence.name.clone(), evidence.hash.clone()));
    Some(Closed { revocation: revocation.name_any(), phase: phase.as_str().to_owned(), record })
}

/// Reads an exported chain: every `.json` file is a record, but for the head.
fn folder(dir: &Path) -> Result<Chain, Failure> {
    let mut chain = Chain::default();
    for entry in fs::read_dir(dir).map_err(|error| Failure::file(dir, error))? {
        let path = entry.map_err(|error| Failure::file(dir, error))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // A record that is no text any more is a broken record, not a failed check.
        let text = fs::read(&path).map_err(|error| Failure::file(&path, error))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if name == names::EVIDENCE_HEAD {
            let head = serde_json::from_str(&text).map_err(|_| Failure::file(&path, "it has no index and hash"))?;
            chain.head = Some(head);
        } else {
            chain.records.push((name, text));
        }
    }
    Ok(chain)
}

/// Writes what the folder does not hold yet, and gives the number of records that were new.
///
/// # Guarantees
/// what was exported once is never overwritten: a record that has changed since, or a chain that has become shorter, is
/// named, and nothing is written
fn export(dir: &Path, chain: &Chain) -> Result<usize, Failure> {
    fs::create_dir_all(dir).map_err(|error| Failure::file(dir, error))?;
    let mut new = Vec::new();
    for (name, text) in &chain.records {
        let path = dir.join(name).with_extension("json");
        match fs::read_to_string(&path) {
            Ok(before) if before == *text => {}
            Ok(_) => return Err(Failure::file(&path, "the record has changed since it was exported")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => new.push((path, text)),
            Err(error) => return Err(Failure::file(&path, error)),
        }
    }
    let head_path = dir.join(names::EVIDENCE_HEAD).with_extension("json");
    let reaches = |head: &Option<Head>| head.as_ref().map_or(0, |head| head.index);
    if reaches(&folder(dir)?.head) > reaches(&chain.head) {
        return Err(Failure::file(&head_path, "the chain is shorter than when it was exported"));
    }
    for (path, text) in &new {
        fs::write(path, text).map_err(|error| Failure::file(path, error))?;
    }
    if let Some(head) = &chain.head {
        let text = serde_json::to_string(head).map_err(|error| Failure::file(&head_path, error))?;
        fs::write(&head_path, text).map_err(|error| Failure::file(&head_path, error))?;
    }
    Ok(new.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A folder of its own, gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            Self(std::env::temp_dir().join(format!("rollcall-{test}-{}", std::process::id())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn chain(length: u64) -> Chain {
        let mut chain = Chain { head: Some(Head::genesis()), ..Chain::default() };
        for index in 1..=length {
            let text = json!({"index": index, "previous": chain.head.as_ref().unwrap().hash}).to_string();
            chain.head = Some(Head { index, hash: evidence::hash(&text) });
            chain.records.push((evidence::name(index), text));
        }
        chain
    }

    #[test]
    fn what_was_exported_verifies_offline() {
        let dir = Folder::new("verifies");
        assert_eq!(export(&dir.0, &chain(3)).unwrap(), 3);
        let summary = verify(&folder(&dir.0).unwrap(), Vec::new()).unwrap();
        assert_eq!((summary.records, summary.head), (3, chain(3).head.unwrap()));
    }

    #[test]
    fn a_second_export_adds_what_is_new() {
        let dir = Folder::new("adds");
        export(&dir.0, &chain(2)).unwrap();
        assert_eq!(export(&dir.0, &chain(5)).unwrap(), 3);
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new()).is_ok());
    }

    #[test]
    fn a_record_that_changed_since_its_export_is_never_overwritten() {
        let dir = Folder::new("changed");
        export(&dir.0, &chain(2)).unwrap();
        let mut forged = chain(3);
        forged.records[0].1.push(' ');
        assert!(export(&dir.0, &forged).is_err());
        assert_eq!(folder(&dir.0).unwrap().records.len(), 2, "nothing was written");
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new()).is_ok());
    }

    #[test]
    fn a_chain_that_became_shorter_since_its_export_is_named() {
        let dir = Folder::new("shorter");
        export(&dir.0, &chain(3)).unwrap();
        for shorter in [chain(2), Chain::default()] {
            assert!(export(&dir.0, &shorter).is_err());
        }
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new()).is_ok(), "what was exported still stands");
    }

    #[test]
    fn bytes_that_are_no_text_are_a_broken_record() {
        let dir = Folder::new("bytes");
        export(&dir.0, &chain(1)).unwrap();
        fs::write(dir.0.join("rollcall-evidence-00000001.json"), [0xff, 0xfe]).unwrap();
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new()).is_err());
    }
}
