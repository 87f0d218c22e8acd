//! The chain as it is kept in the cluster. In a folder: `folder`.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Client, ResourceExt};

use crate::api::revocation::Phase;
use crate::api::{Revocation, names};
use crate::cli::{Failure, ask};
use crate::kube::named::Api;
use domain::evidence::{self, Closed, HEAD_SIGNED, Head, KEYS, Keys, SignedHead, Start};

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

/// All records, the head, the marker of the start, and what is signed; none has to be there.
#[derive(Debug, Default)]
pub struct Chain {
    pub records: Vec<Stored>,
    pub head: Option<Head>,
    pub start: Option<Start>,
    /// Signed heads: in the cluster the newest one, in a folder all that were exported.
    pub signed: Vec<SignedHead>,
    /// The keys they are signed with.
    pub keys: Option<Keys>,
    /// The marker's ConfigMap, which the next prune is written over.
    pub marker: Option<ConfigMap>,
}

impl Chain {
    /// The last record that was pruned.
    pub fn pruned(&self) -> Head {
        self.start.as_ref().map_or_else(Head::genesis, |start| start.newest.last.clone())
    }

    /// Names and texts of what stands beside the records and never changes: the signed heads, and the keys up to the newest.
    pub fn beside(&self) -> Result<Vec<(String, String)>, Failure> {
        let unwritable = |error: serde_json::Error| Failure::Refused(error.to_string());
        let mut beside = Vec::new();
        for head in &self.signed {
            let name = format!("{}-{}", names::EVIDENCE_CHECKPOINT, head.place());
            beside.push((name, head.text().map_err(unwritable)?));
        }
        if let Some(keys) = &self.keys {
            let name = format!("{}-{:04}", names::EVIDENCE_KEYS, keys.keys.len());
            beside.push((name, keys.text().map_err(unwritable)?));
        }
        Ok(beside)
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
        let (map, marker) = ends(&api).await?;
        let records = records(&api).await?;
        let (later, moved) = ends(&api).await?;
        if head(map.as_ref())? == head(later.as_ref())? && version(marker.as_ref()) == version(moved.as_ref()) {
            let start = marker.as_ref().map(start).transpose()?;
            let signed = later.as_ref().and_then(|map| SignedHead::read(map.data.as_ref()?.get(HEAD_SIGNED)?));
            let (signed, keys) = (signed.into_iter().collect(), keys(&api).await?);
            return Ok(Chain { records, head: head(later.as_ref())?, start, signed, keys, marker });
        }
    }
    Err(Failure::Refused("new records are written all the time: try again".to_owned()))
}

/// The head, and the marker of the start.
async fn ends(api: &Api<ConfigMap>) -> Result<(Option<ConfigMap>, Option<ConfigMap>), Failure> {
    let head = ask("read the head of the chain", api.get_opt(names::EVIDENCE_HEAD)).await?;
    Ok((head, ask("read the marker of the start", api.get_opt(names::EVIDENCE_START)).await?))
}

fn head(map: Option<&ConfigMap>) -> Result<Option<Head>, Failure> {
    let Some(found) = map else { return Ok(None) };
    let unreadable = || Failure::Refused(format!("{} is damaged: it has no index and hash", names::EVIDENCE_HEAD));
    found.data.as_ref().and_then(Head::read).map(Some).ok_or_else(unreadable)
}

/// The public keys, if there are any.
pub async fn keys(api: &Api<ConfigMap>) -> Result<Option<Keys>, Failure> {
    let Some(map) = ask("read the public keys", api.get_opt(names::EVIDENCE_KEYS)).await? else { return Ok(None) };
    let unreadable = || Failure::Refused(format!("{} is damaged: it has no keys", names::EVIDENCE_KEYS));
    map.data.as_ref().and_then(|data| Keys::read(data.get(KEYS)?)).map(Some).ok_or_else(unreadable)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
