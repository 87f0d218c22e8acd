//! Everybody as the cluster has them, and the bulk writer. Not a reconciler: it holds what was last seen or written,
//! and writes what a pass decided.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::kube::named::Api;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher::Event;
use serde_json::Value;
use tokio::sync::watch;

use super::MANAGER;
use super::retention::Retention;
use crate::api::Person;
use crate::api::person::{PersonSpec, PersonStatus, Profile, Record, State};
use crate::kube::calls::{apply_exactly, call};
use crate::kube::outcome::Fault;
use crate::kube::telemetry::Metrics;
use domain::lifecycle::Why;
use domain::ownership::PersonFacts;

/// Writes in flight at once.
const IN_FLIGHT: usize = 64;
/// A pass gives up after so many failed writes: then it is not the object that is wrong.
const TOO_MANY_FAULTS: usize = IN_FLIGHT;

/// Every Person of the people namespace, as last seen by the watch or written by this process, whichever is newer.
pub struct People {
    by_name: RwLock<HashMap<String, Arc<Person>>>,
    listed: RwLock<HashMap<String, Arc<Person>>>,
    ready: watch::Sender<bool>,
}

impl Default for People {
    fn default() -> Self {
        Self { by_name: RwLock::default(), listed: RwLock::default(), ready: watch::Sender::new(false) }
    }
}

impl People {
    /// Takes an event of the watch over. Says whether a policy should look again: a Person is gone, or was changed by
    /// somebody else than this writer.
    pub fn see(&self, event: Event<Person>) -> bool {
        match event {
            Event::Init => self.listed.write().unwrap_or_else(PoisonError::into_inner).clear(),
            Event::InitApply(mut person) => {
                person.shrink();
                let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
                listed.insert(person.name_any(), Arc::new(person));
            }
            Event::InitDone => {
                let mut listed = std::mem::take(&mut *self.listed.write().unwrap_or_else(PoisonError::into_inner));
                let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
                for (name, person) in &mut listed {
                    if let Some(held) = by_name.get(name).filter(|held| newer(held, person)) {
                        *person = Arc::clone(held);
                    }
                }
                *by_name = listed;
                drop(by_name);
                self.ready.send_replace(true);
                return true;
            }
            Event::Apply(person) => {
                let changed = self
                    .get(&person.name_any())
                    .is_none_or(|held| held.metadata.generation != person.metadata.generation);
                self.take(person);
                return changed;
            }
            Event::Delete(person) => {
                let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
                let made_again = by_name.get(&person.name_any()).is_some_and(|held| held.uid() != person.uid());
                if !made_again {
                    by_name.remove(&person.name_any());
                }
                return true;
            }
        }
        false
    }

    /// Takes a Person over unless a newer state of it is held.
    fn take(&self, mut person: Person) {
        person.managed_fields_mut().clear();
        person.shrink();
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        match by_name.get(&person.name_any()) {
            Some(held) if newer(held, &person) => {}
            _ => {
                by_name.insert(person.name_any(), Arc::new(person));
            }
        }
    }

    /// The Person of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Person>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Everybody.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Person>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Waits until everybody who was there at the start is held.
    pub async fn ready(&self) {
        let mut ready = self.ready.subscribe();
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await; // the sender lives as long as `self`
        }
    }
}

/// Whether `held` is a later state than `other` of the same object. Resource versions are numbers that grow
/// (Kubernetes documents them as comparable since 1.35); one that is none is never newer, so that the watch wins.
fn newer(held: &Person, other: &Person) -> bool {
    let version = |person: &Person| person.resource_version().and_then(|version| version.parse::<u64>().ok());
    match (version(held), version(other)) {
        (Some(held), Some(other)) => held > other,
        _ => false,
    }
}

/// A Person to write.
pub struct Write {
    /// As it stands; none for one that is to be made.
    pub current: Option<Arc<Person>>,
    /// Its name.
    pub name: String,
    /// The records that a Person is made with, or has with one that was matched to it.
    pub records: Vec<Record>,
    /// What its spec keeps, imported or entered by hand.
    pub profile: Option<Box<Profile>>,
    /// The whole status it gets.
    pub status: Box<PersonStatus>,
}

impl Write {
    /// Since when somebody has left, and when their source reported it: of who has left only now, and not by a human's word, nor
    /// before anybody looked.
    pub fn reported(&self) -> Option<(Timestamp, Timestamp)> {
        let before = self.current.as_ref().and_then(|person| person.status.as_ref()?.employment.as_ref());
        let left = self.status.employment.as_ref().filter(|left| !left.baseline && left.why != Why::Declared.as_str());
        let left = left.filter(|_| before.is_some_and(|before| before.state != State::Terminated))?;
        left.effective.zip(left.seen)
    }

    /// The keys by which another record is taken for one of the same human.
    pub fn human_keys(&self) -> Vec<String> {
        let facts = PersonFacts {
            name: String::new(),
            uid: String::new(),
            records: Vec::new(),
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: self.status.aliases.clone(),
            address: self.status.profile.as_ref().and_then(|profile| profile.work_email.clone()),
            left: None,
        };
        facts.human_keys().collect()
    }
}

/// Writes Persons, many at once, and waits for them all.
///
/// # Flow          for each: create if it is new, or add the records that were matched and patch the profile in its spec if those
///                 differ; then apply the whole status
/// # Returns       who was not begun with when `stop`, asked with how many were, said so
/// # Guarantees    a status is applied only over exactly the object the pass looked at: over a later state of it, or a
///                 Person deleted and made again, it is refused by uid and resourceVersion
/// # Assumptions   only changed Persons are passed
/// # Errors        the first fault, after everything else was tried; the next pass repairs what was not written
pub async fn write(
    api: &Api<Person>,
    people: &People,
    writes: Vec<Write>,
    metrics: &Metrics,
    stop: impl Fn(usize) -> bool,
) -> Result<HashSet<String>, Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let (mut left, mut number) = (writes.into_iter(), 0_usize);
    let begun = std::iter::from_fn(|| {
        let next = if stop(number) { None } else { left.next() };
        number = number.saturating_add(1);
        next
    });
    let mut done = stream::iter(begun).map(|write| put(api, people, write)).buffer_unordered(IN_FLIGHT);
    while let Some(result) = done.next().await {
        if result.is_ok() {
            metrics.person_written();
        }
        faults.extend(result.err());
        if faults.len() >= TOO_MANY_FAULTS {
            break;
        }
    }
    drop(done);
    faults.into_iter().next().map_or_else(|| Ok(left.map(|write| write.name).collect()), Err)
}

async fn put(api: &Api<Person>, people: &People, mut write: Write) -> Result<(), Fault> {
    if write.status.salt.is_none() {
        write.status.salt = Some(salt()?);
    }
    let current = match write.current.take() {
        Some(current)
            if current.spec.profile == write.profile
                && current.spec.records == write.records
                && !Retention::forgets(&current, &write.status) =>
        {
            current
        }
        Some(current) => {
            let patched = put_spec(api, &current, &write).await?;
            people.take(patched.clone());
            Arc::new(patched)
        }
        None => {
            let spec = PersonSpec::of(write.records, write.profile);
            let person = Person::new(&write.name, spec);
            let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            let made = call("make a Person", api.create(&params, &person)).await?;
            people.take(made.clone());
            Arc::new(made)
        }
    };
    people.take(apply_exactly(api, &*current, MANAGER, &*write.status).await?);
    Ok(())
}

/// Changes nothing of a Person's spec but the records that are added, the fields of its profile that differ, and what was taken
/// back of a leaver of whom nothing personal is kept any more, over exactly this state of it: what a human edits at the same moment is never written over.
async fn put_spec(api: &Api<Person>, person: &Person, write: &Write) -> Result<Person, Fault> {
    let json =
        |records: &[Record], profile: Option<&Profile>| serde_json::json!({ "records": records, "profile": profile });
    let before = json(&person.spec.records, person.spec.profile.as_deref());
    let mut spec = difference(&before, &json(&write.records, write.profile.as_deref()));
    if let (true, Value::Object(spec)) = (Retention::forgets(person, &write.status), &mut spec) {
        spec.insert("disowned".to_owned(), Value::Null);
    }
    let patch = serde_json::json!({
        "metadata": {"uid": person.metadata.uid, "resourceVersion": person.metadata.resource_version},
        "spec": spec,
    });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    call("write records and profile", api.patch(&person.name_any(), &params, &Patch::Merge(patch))).await
}

/// The merge patch (RFC 7386) that makes one value of another.
fn difference(from: &Value, to: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (from, to) else { return to.clone() };
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let new = after.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    let new = new.map(|(key, value)| {
        (key.clone(), before.get(key).map_or_else(|| value.clone(), |from| difference(from, value)))
    });
    gone.chain(new).collect()
}

/// Sixteen random bytes.
fn salt() -> Result<String, Fault> {
    let mut bytes = [0_u8; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random
        .fill(&mut bytes)
        .map_err(|_| Fault::Transient { doing: "make a salt", cause: "no randomness".to_owned() })?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

#[cfg(test)]
mod tests;
