//! Sealing: what a Revocation did becomes an immutable record at the end of the chain. Control alone seals.
//!
//! All that wait to be sealed at one moment are sealed together: a record each, one after the other, and the head of the
//! chain once behind the last of them.

mod drill_body;
mod record_body;
pub mod signing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::kube::named::Api;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{ListParams, ObjectMeta, PostParams};
use tokio::sync::oneshot;

use super::Context;
use super::owned_status::ControlStatus;
use crate::api::revocation::Evidence;
use crate::api::{Person, Revocation, names};
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::kube::swap::{self, OwnConfigMap};
use domain::drill::DrillReport;
use domain::evidence::{self, Head, RecordBody, Sealed};

/// How often sealing is tried again after somebody else sealed.
const CONFLICTS: usize = 8;
/// Most that are sealed together: their uids stand in one address, of which proxies take a few kilobytes.
const TOGETHER: usize = 100;
/// The head of the chain.
const HEAD: OwnConfigMap<'_> =
    OwnConfigMap { name: names::EVIDENCE_HEAD, part: "head", doing: "move the head of the evidence" };

/// What waits to be sealed.
#[derive(Default)]
pub struct Seals {
    waiting: Mutex<Vec<Unsealed>>,
    /// Held by the one that seals.
    turn: tokio::sync::Mutex<()>,
    /// What heads are signed with; nothing waits for it.
    signer: signing::Signer,
}

/// The body of one record, and where to say that it is sealed.
struct Unsealed {
    revocation: String,
    body: RecordBody,
    answer: oneshot::Sender<Result<Evidence, Fault>>,
}

impl Unsealed {
    /// Tells the one that waits; it may have been told to stop.
    fn hears(self, sealed: Result<Evidence, Fault>) {
        drop(self.answer.send(sealed));
    }
}

impl Seals {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Unsealed>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seals the record of a Revocation that has ended, together with all others that wait, and says where.
///
/// # Flow          wait for the turn; sealed by another meanwhile? else: head; the records of these Revocations that are
///                 there already; the others after the head, one by one; the head behind them by compare-and-swap
/// # Guarantees    the chain never forks: a record's name is its place, and is created once; sealed twice is sealed once;
///                 a seal is given only of a record that stands at or before the head
/// # Errors        transient: nothing is lost, the next call finds the record
pub async fn seal(
    ctx: &Context,
    revocation: &Revocation,
    part: &ControlStatus,
    person: Option<&Person>,
    rule: &str,
) -> Result<Evidence, Fault> {
    let _aside = ctx.aside(); // others are planned and released meanwhile
    let body = record_body::of(revocation, part, person, rule, (ctx.clock)());
    seal_body(ctx, revocation.uid().unwrap_or_default(), body).await
}

/// Seals the report of a drill, in the same way. `label` takes the place of the uid of a Revocation.
pub async fn seal_drill(
    ctx: &Context,
    label: String,
    report: &DrillReport,
    person: Option<&Person>,
) -> Result<Evidence, Fault> {
    seal_body(ctx, label, drill_body::of(report, person, (ctx.clock)())).await
}

async fn seal_body(ctx: &Context, revocation: String, body: RecordBody) -> Result<Evidence, Fault> {
    let (answer, mut answered) = oneshot::channel();
    ctx.seals.waiting().push(Unsealed { revocation, body, answer });
    let _turn = ctx.seals.turn.lock().await;
    let mut all = std::mem::take(&mut *ctx.seals.waiting());
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    while !all.is_empty() {
        let next = all.split_off(all.len().min(TOGETHER));
        let sealer = Sealer { api: &api, signer: &ctx.seals.signer, now: (ctx.clock)() };
        sealer.seal_all(std::mem::replace(&mut all, next)).await;
    }
    // One that had the turn before and was told to stop has answered nobody.
    answered.try_recv().unwrap_or_else(|_| Err(interrupted()))
}

fn interrupted() -> Fault {
    Fault::Transient { doing: "seal the evidence", cause: "it was interrupted".to_owned() }
}

/// What sealing needs.
struct Sealer<'a> {
    api: &'a Api<ConfigMap>,
    signer: &'a signing::Signer,
    now: Timestamp,
}

impl Sealer<'_> {
    /// Seals all of them. Those that cannot be sealed hear why, and hold up nobody else.
    async fn seal_all(&self, mut waiting: Vec<Unsealed>) {
        for _ in 0..CONFLICTS {
            match self.seal_once(waiting).await {
                Ok(left) if left.is_empty() => return,
                Ok(left) => waiting = left,
                Err((fault, left)) => return left.into_iter().for_each(|one| one.hears(Err(fault.clone()))),
            }
        }
        for one in waiting {
            let cause = "somebody else kept sealing".to_owned();
            one.hears(Err(Fault::Transient { doing: "seal the evidence", cause }));
        }
    }

    /// One attempt. Gives back those that are to be looked at again, since the chain went on by another's hand.
    async fn seal_once(&self, waiting: Vec<Unsealed>) -> Result<Vec<Unsealed>, (Fault, Vec<Unsealed>)> {
        let api = self.api;
        let read = async {
            let (head, map) = head(api).await?;
            let records = find(api, &waiting, &head).await?;
            Ok::<_, Fault>((head, map, records))
        };
        let (begun, map, records) = match read.await {
            Ok(read) => read,
            Err(fault) => return Err((fault, waiting)),
        };
        let mut at = begun.clone();
        let Written { sealed, mut left, mut result } = write_records(api, &mut at, waiting, &records).await;
        if result.is_ok() && !left.is_empty() {
            // A process died between its records and the head: they stand, and the head follows them, if they follow the head.
            result = follow(api, &mut at).await;
        }
        let moved = if at == begun { Ok(true) } else { self.move_head(map, &at).await };
        for (one, evidence) in sealed {
            match &moved {
                Ok(true) => one.hears(Ok(evidence)),
                Ok(false) => left.push(one), // its record is found at the next attempt
                Err(fault) => one.hears(Err(fault.clone())),
            }
        }
        match result.and(moved.map(drop)) {
            Ok(()) => Ok(left),
            Err(fault) => Err((fault, left)),
        }
    }

    /// Moves the head by compare-and-swap, signed where there is a key; says whether it still stood where it was read.
    async fn move_head(&self, current: Option<ConfigMap>, head: &Head) -> Result<bool, Fault> {
        let data = self.signer.data(current.as_ref(), head, self.now);
        match swap::write(self.api, HEAD, current, data).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.is_conflict() => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

/// What became of one attempt to write records.
struct Written {
    /// Records that stand, whose head does not yet.
    sealed: Vec<(Unsealed, Evidence)>,
    /// Those whose place is taken.
    left: Vec<Unsealed>,
    /// Why no more were written.
    result: Result<(), Fault>,
}

/// Writes a record of each, one after the other behind `at`. One that has a record already hears of it, one that is refused
/// hears why, and the others go on.
async fn write_records(
    api: &Api<ConfigMap>,
    at: &mut Head,
    waiting: Vec<Unsealed>,
    records: &[SealedRecord],
) -> Written {
    let mut written = Written { sealed: Vec::new(), left: Vec::new(), result: Ok(()) };
    let mut rest = waiting.into_iter();
    for one in rest.by_ref() {
        if let Some(found) = records.iter().find(|record| record.is_of(&one)) {
            one.hears(Ok(found.evidence.clone()));
            continue;
        }
        let Ok(next) = evidence::chain(at, one.body.clone()) else {
            one.hears(Err(Fault::Stalled("the record cannot be written".to_owned())));
            continue;
        };
        match create(api, &one.revocation, &next).await {
            Ok(Created::Ours) => {
                let name = evidence::name(next.head.index);
                let evidence = Evidence { name, hash: next.head.hash.clone(), previous: at.hash.clone() };
                written.sealed.push((one, evidence));
                *at = next.head;
            }
            Err(fault) if fault.is_refusal() => one.hears(Err(fault)),
            Ok(Created::Theirs) => {
                written.left.push(one);
                break;
            }
            Err(fault) => {
                written.left.push(one);
                written.result = Err(fault);
                break;
            }
        }
    }
    written.left.extend(rest);
    written
}

async fn head(api: &Api<ConfigMap>) -> Result<(Head, Option<ConfigMap>), Fault> {
    let Some(map) = call("read the head of the evidence", api.get_opt(names::EVIDENCE_HEAD)).await? else {
        return Ok((Head::genesis(), None));
    };
    let head = map.data.as_ref().and_then(Head::read);
    let head = head.ok_or_else(|| {
        Fault::Stalled(format!("the ConfigMap {} was changed; see `rollcall evidence verify`", names::EVIDENCE_HEAD))
    })?;
    Ok((head, Some(map)))
}

/// A record that stands at or before the head.
struct SealedRecord {
    revocation: String,
    body: RecordBody,
    evidence: Evidence,
}

impl SealedRecord {
    /// Whether it tells of this end: the same phase of the same attempt, behind the same gate, by the same decision, with the same
    /// ends of its hooks, and of the same check after it.
    fn is_of(&self, waiting: &Unsealed) -> bool {
        let end = |body: &RecordBody| (body.phase.clone(), body.attempt, body.gate.clone(), body.rejecter.clone());
        let checked = |body: &RecordBody| body.recheck.as_ref().map(|recheck| recheck.at);
        let hook = |one: &evidence::Hook| (one.name.clone(), one.outcome.clone(), one.attempts);
        let hooks = |body: &RecordBody| body.hooks.iter().map(hook).collect::<Vec<_>>();
        self.revocation == waiting.revocation
            && end(&self.body) == end(&waiting.body)
            && hooks(&self.body) == hooks(&waiting.body)
            && checked(&self.body) == checked(&waiting.body)
    }
}

/// The records of these Revocations up to the head.
async fn find(api: &Api<ConfigMap>, waiting: &[Unsealed], head: &Head) -> Result<Vec<SealedRecord>, Fault> {
    let uids: BTreeSet<&str> = waiting.iter().map(|one| one.revocation.as_str()).collect();
    let selector = format!("{} in ({})", names::REVOCATION, uids.into_iter().collect::<Vec<_>>().join(","));
    let found = call("look for the records", api.list(&ListParams::default().labels(&selector))).await?;
    let read = |map: &ConfigMap| {
        let text = map.data.as_ref()?.get(evidence::KEY)?;
        let record: evidence::Record = serde_json::from_str(text).ok()?;
        let evidence = Evidence { name: map.name_any(), hash: evidence::hash(text), previous: record.previous };
        let revocation = map.labels().get(names::REVOCATION)?.clone();
        (record.index <= head.index).then_some(SealedRecord { revocation, body: record.body, evidence })
    };
    Ok(found.items.iter().filter_map(read).collect())
}

enum Created {
    Ours,
    /// A record stands in its place.
    Theirs,
}

async fn create(api: &Api<ConfigMap>, revocation: &str, sealed: &Sealed) -> Result<Created, Fault> {
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(evidence::name(sealed.head.index)),
            labels: Some(BTreeMap::from([
                (names::PART.to_owned(), evidence::PART.to_owned()),
                (names::REVOCATION.to_owned(), revocation.to_owned()),
            ])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(evidence::KEY.to_owned(), sealed.text.clone())])),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    match call("write the record", api.create(&PostParams::default(), &map)).await {
        Ok(_) => Ok(Created::Ours),
        Err(fault) if fault.is_conflict() => Ok(Created::Theirs),
        Err(fault) => Err(fault),
    }
}

/// Goes on behind every record that stands after this place.
async fn follow(api: &Api<ConfigMap>, at: &mut Head) -> Result<(), Fault> {
    loop {
        let name = evidence::name(at.index.saturating_add(1));
        let Some(map) = call("read the record in its place", api.get_opt(&name)).await? else { return Ok(()) };
        let text = map.data.and_then(|mut data| data.remove(evidence::KEY)).unwrap_or_default();
        *at = evidence::follow(at, &text).ok_or_else(|| {
            Fault::Stalled(format!("{name} does not follow the evidence before it; see `rollcall evidence verify`"))
        })?;
    }
}

#[cfg(test)]
mod tests;
