//! The chain as it is kept: in the cluster, and in a folder that it was exported to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Client, ResourceExt};

use crate::api::revocation::Phase;
use crate::api::{Revocation, names};
use crate::cli::{Failure, ask};
use crate::kube::named::Api;
use domain::evidence::{self, Closed, Head, Start};

/// Records asked for at once.
const PAGE: u32 = 250;
/// How often the cluster is read again when a record was sealed meanwhile.
const TRIES: u32 = 5;

/// A record as it is kept. A file has neither uid nor label.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub name: String,
    pub text: String,
    /// Uid of its ConfigMap.
    pub uid: Option<String>,
    /// Uid of the Revocation that it is of.
    pub of: Option<String>,
}

/// All records, the head, and the marker of the start; neither has to be there.
#[derive(Debug, Default)]
pub struct Chain {
    pub records: Vec<Stored>,
    pub head: Option<Head>,
    pub start: Option<Start>,
    /// The marker's ConfigMap, which the next prune is written over.
    pub marker: Option<ConfigMap>,
}

impl Chain {
    /// The last record that was pruned.
    pub fn pruned(&self) -> Head {
        self.start.as_ref().map_or_else(Head::genesis, |start| start.newest.last.clone())
    }

    /// Names and texts.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.records.iter().map(|record| (record.name.as_str(), record.text.as_str()))
    }
}

/// Reads the chain from the cluster: all records between two equal reads of both ends, so that neither one sealed meanwhile nor
/// a prune is taken for tampering.
pub async fn read(client: &Client, namespace: &str) -> Result<Chain, Failure> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    for _ in 0..TRIES {
        let (head, marker) = ends(&api).await?;
        let records = records(&api).await?;
        let (later, moved) = ends(&api).await?;
        if head == later && version(marker.as_ref()) == version(moved.as_ref()) {
            let start = marker.as_ref().map(start).transpose()?;
            return Ok(Chain { records, head, start, marker });
        }
    }
    Err(Failure::Refused("new records are written all the time: try again".to_owned()))
}

/// The head, and the marker of the start.
async fn ends(api: &Api<ConfigMap>) -> Result<(Option<Head>, Option<ConfigMap>), Failure> {
    let head = head(api).await?;
    Ok((head, ask("read the marker of the start", api.get_opt(names::EVIDENCE_START)).await?))
}

async fn head(api: &Api<ConfigMap>) -> Result<Option<Head>, Failure> {
    let Some(found) = ask("read the head of the chain", api.get_opt(names::EVIDENCE_HEAD)).await? else {
        return Ok(None);
    };
    let unreadable = || Failure::Refused(format!("{} is damaged: it has no index and hash", names::EVIDENCE_HEAD));
    found.data.as_ref().and_then(Head::read).map(Some).ok_or_else(unreadable)
}

fn version(map: Option<&ConfigMap>) -> Option<&str> {
    map.and_then(|map| map.metadata.resource_version.as_deref())
}

fn start(map: &ConfigMap) -> Result<Start, Failure> {
    let unreadable = || Failure::Refused(format!("{} is damaged: it tells of no prune", names::EVIDENCE_START));
    map.data.as_ref().and_then(Start::read).ok_or_else(unreadable)
}

async fn records(api: &Api<ConfigMap>) -> Result<Vec<Stored>, Failure> {
    let mut page = ListParams::default().labels(&format!("{}={}", names::PART, evidence::PART)).limit(PAGE);
    let mut records = Vec::new();
    loop {
        let found = ask("list the records", api.list(&page)).await?;
        records.extend(found.items.into_iter().map(|map| Stored {
            of: map.labels().get(names::REVOCATION).cloned(),
            text: map.data.and_then(|mut data| data.remove(evidence::KEY)).unwrap_or_default(),
            name: map.metadata.name.unwrap_or_default(),
            uid: map.metadata.uid,
        }));
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(records),
        }
    }
}

/// What the Revocations say.
#[derive(Debug, Default)]
pub struct Revocations {
    /// Those that have come to their end, with the record that each names.
    pub ended: Vec<Closed>,
    /// Name and uid of those whose records stay while they are there.
    pub present: BTreeSet<String>,
}

/// Reads the Revocations. Before the chain: a record is there before its seal is named.
pub async fn revocations(client: &Client, namespace: &str) -> Result<Revocations, Failure> {
    let api: Api<Revocation> = Api::namespaced(client.clone(), namespace);
    let mut page = ListParams::default().limit(PAGE);
    let mut told = Revocations::default();
    loop {
        let found = ask("list the Revocations", api.list(&page)).await?;
        told.ended.extend(found.items.iter().filter_map(ended));
        let present = found.items.iter().filter(|one| keeps_its_record(one));
        told.present.extend(present.flat_map(|one| [Some(one.name_any()), one.uid()]).flatten());
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(told),
        }
    }
}

/// Whether its record stays while it is there. Control removes what ended well, after its own time. It never removes what was
/// rejected, is protected, or failed: that shows its decision and its manifests itself, and would keep all later records.
fn keeps_its_record(revocation: &Revocation) -> bool {
    let Some(status) = revocation.status.as_ref().filter(|status| status.evidence.is_some()) else { return true };
    !matches!(status.phase, Some(Phase::Held | Phase::Failed))
}

fn ended(revocation: &Revocation) -> Option<Closed> {
    let status = revocation.status.as_ref()?;
    let phase = status.phase.filter(|phase| phase.ended())?;
    let record = status.evidence.as_ref().map(|evidence| (evidence.name.clone(), evidence.hash.clone()));
    Some(Closed { revocation: revocation.name_any(), phase: phase.as_str().to_owned(), record })
}

/// Where something of the chain is in a folder.
pub fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(name).with_extension("json")
}

/// Reads an exported chain: every `.json` file is a record, but for the head and the marker of the start.
pub fn folder(dir: &Path) -> Result<Chain, Failure> {
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
        } else if name == names::EVIDENCE_START {
            let data: Option<BTreeMap<String, String>> = serde_json::from_str(&text).ok();
            let start = data.as_ref().and_then(Start::read);
            chain.start = Some(start.ok_or_else(|| Failure::file(&path, "it tells of no prune"))?);
        } else {
            chain.records.push(Stored { name, text, ..Stored::default() });
        }
    }
    Ok(chain)
}

/// Writes what the folder does not hold yet, and gives the number of records that were new.
///
/// # Guarantees
/// what was exported once is never overwritten: a record that has changed since, a chain that has become shorter, or a start
/// that has moved back, is named, and nothing is written
pub fn export(dir: &Path, chain: &Chain) -> Result<usize, Failure> {
    fs::create_dir_all(dir).map_err(|error| Failure::file(dir, error))?;
    let mut new = Vec::new();
    for (name, text) in chain.texts() {
        let path = file(dir, name);
        match fs::read_to_string(&path) {
            Ok(before) if before == *text => {}
            Ok(_) => return Err(Failure::file(&path, "the record has changed since it was exported")),
            Err(error) if error.kind() == ErrorKind::NotFound => new.push((path, text)),
            Err(error) => return Err(Failure::file(&path, error)),
        }
    }
    let (head, start) = (file(dir, names::EVIDENCE_HEAD), file(dir, names::EVIDENCE_START));
    let before = folder(dir)?;
    let reaches = |head: &Option<Head>| head.as_ref().map_or(0, |head| head.index);
    if reaches(&before.head) > reaches(&chain.head) {
        return Err(Failure::file(&head, "the chain is shorter than when it was exported"));
    }
    let (pruned, now) = (before.pruned(), chain.pruned());
    if pruned.index > now.index || (pruned.index == now.index && pruned != now) {
        return Err(Failure::file(&start, "the start of the chain is another one than when it was exported"));
    }
    for (path, text) in &new {
        fs::write(path, text).map_err(|error| Failure::file(path, error))?;
    }
    let write = |path: &Path, text: serde_json::Result<String>| {
        let text = text.map_err(|error| Failure::file(path, error))?;
        fs::write(path, text).map_err(|error| Failure::file(path, error))
    };
    if let Some(at) = &chain.start {
        write(&start, serde_json::to_string(&at.data()))?;
    }
    if let Some(at) = &chain.head {
        write(&head, serde_json::to_string(at))?;
    }
    Ok(new.len())
}

#[cfg(test)]
mod tests {
    use domain::evidence::Prune;
    use serde_json::json;

    use super::super::verify;
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
            chain.records.push(Stored { name: evidence::name(index), text, ..Stored::default() });
        }
        chain
    }

    #[test]
    fn what_control_never_removes_does_not_keep_its_record_and_all_later_ones() {
        for (phase, sealed, expected) in [
            ("Held", true, false),
            ("Failed", true, false),
            ("Held", false, true),
            ("Revoked", true, true),
            ("Cancelled", true, true),
            ("Released", false, true),
        ] {
            let evidence = sealed.then(
                || json!({"name": "rollcall-evidence-00000001", "hash": "a".repeat(64), "previous": "b".repeat(64)}),
            );
            let revocation = serde_json::from_value(json!({
                "metadata": {"name": "p-b-cut"},
                "spec": {"person": "p-b", "personUid": "u", "policy": "everyone", "trigger": "Termination",
                    "operation": "Cut", "due": "2026-03-01T00:00:00Z", "reason": "left"},
                "status": {"phase": phase, "evidence": evidence},
            }))
            .unwrap();
            assert_eq!(keeps_its_record(&revocation), expected, "{phase} {sealed}");
        }
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
        forged.records[0].text.push(' ');
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

    /// A chain of so many records after a prune of the first ones.
    fn pruned(length: u64, up_to: u64) -> Chain {
        let mut chain = chain(length);
        let last = Head { index: up_to, hash: evidence::hash(&chain.records[up_to as usize - 1].text) };
        let newest = Prune { from: 1, last, at: jiff::Timestamp::UNIX_EPOCH, by: "carol".into() };
        chain.start = Some(Start::after(None, newest));
        chain.records.drain(..up_to as usize);
        chain
    }

    #[test]
    fn a_folder_that_is_exported_to_after_a_prune_verifies_from_the_marker_on() {
        let dir = Folder::new("pruned");
        assert_eq!(export(&dir.0, &pruned(5, 3)).unwrap(), 2);
        let summary = verify(&folder(&dir.0).unwrap(), Vec::new()).unwrap();
        assert_eq!((summary.records, summary.pruned, summary.head), (2, 0, chain(5).head.unwrap()));
        fs::remove_file(file(&dir.0, names::EVIDENCE_START)).unwrap();
        assert!(
            verify(&folder(&dir.0).unwrap(), Vec::new()).is_err(),
            "without the marker the first three are missing"
        );
    }

    #[test]
    fn a_folder_that_was_exported_to_before_a_prune_keeps_all_and_verifies_as_a_whole() {
        let dir = Folder::new("whole");
        export(&dir.0, &chain(4)).unwrap();
        assert_eq!(export(&dir.0, &pruned(5, 3)).unwrap(), 1);
        let summary = verify(&folder(&dir.0).unwrap(), Vec::new()).unwrap();
        assert_eq!((summary.records, summary.pruned, summary.loose), (5, 3, 0));
        fs::write(file(&dir.0, &evidence::name(2)), "{}").unwrap();
        assert!(verify(&folder(&dir.0).unwrap(), Vec::new()).is_err(), "also where a pruned record was changed");
    }

    #[test]
    fn a_start_that_moved_back_or_changed_since_its_export_is_named() {
        let dir = Folder::new("start");
        export(&dir.0, &pruned(5, 3)).unwrap();
        let mut other = pruned(5, 3);
        other.start.as_mut().unwrap().newest.last.hash = evidence::hash("other");
        for back in [chain(5), pruned(5, 2), other] {
            assert!(export(&dir.0, &back).is_err());
        }
        assert_eq!(folder(&dir.0).unwrap().records.len(), 2, "nothing was written");
        export(&dir.0, &pruned(5, 4)).unwrap();
    }

    #[test]
    fn a_marker_that_tells_of_no_prune_is_damaged() {
        let dir = Folder::new("damaged");
        export(&dir.0, &pruned(5, 3)).unwrap();
        fs::write(file(&dir.0, names::EVIDENCE_START), r#"{"index":"3"}"#).unwrap();
        assert!(folder(&dir.0).is_err());
    }
}
