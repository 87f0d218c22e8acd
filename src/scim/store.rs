//! Users and groups as ScimResources: read by a watch, and by name where it has to be as new as the call; written one at a time.
//!
//! Nothing is answered with success that the API server did not take. What this replica wrote is known to it at once, what another
//! wrote as soon as the watch brings it. A user's object has a name made of the user name, so that two replicas cannot make the same
//! user twice; a group's is random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::api::{DeleteParams, ObjectMeta, PostParams, Preconditions};
use kube::runtime::watcher::Event;
use kube::{Client, Resource, ResourceExt};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::tokens::Accepted;
use super::wire;
use crate::api::{HRConnection, ScimResource, ScimResourceSpec};
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use scim::schema::Kind;
use scim::{Class, Refused, patch};

/// Most users and groups of one connection.
pub const MOST: usize = 100_000;
/// How often a write is tried again over what somebody else wrote meanwhile.
const TRIES: usize = 5;
/// How many names a user may have: the first belongs to somebody who is called otherwise today.
const NAMES: usize = 8;

/// Why a request was not done.
#[derive(Debug)]
pub enum Undone {
    /// The client is wrong.
    Refused(Refused),
    /// There is no such resource.
    Missing,
    /// It is not the version that the client knows.
    Changed,
    /// The connection has as many as it may have.
    Full,
    /// The API server could not be asked, or refused: the client is to come back.
    Fault(Fault),
}

impl From<Refused> for Undone {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Fault> for Undone {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// All resources of one kind and one connection.
#[derive(Default)]
struct Shelf {
    by_name: BTreeMap<String, Arc<ScimResource>>,
    /// Names of objects by user name, or by name that is shown, in lower case.
    by_title: BTreeMap<String, BTreeSet<String>>,
    by_external_id: BTreeMap<String, BTreeSet<String>>,
}

type Place = (String, Kind);

#[derive(Default)]
struct Known {
    shelves: BTreeMap<Place, Shelf>,
    /// Where each object is, by name.
    places: BTreeMap<String, Place>,
    /// Objects of a list that has not ended.
    coming: Option<BTreeSet<String>>,
    listed: bool,
}

/// What is compared of user names and names that are shown.
fn folded(text: &str) -> String {
    text.to_lowercase()
}

fn titles(resource: &ScimResource) -> (Option<String>, Option<String>) {
    match (&resource.spec.user, &resource.spec.group) {
        (Some(user), _) => (Some(folded(&user.user_name)), user.external_id.clone()),
        (_, Some(group)) => (Some(folded(&group.display_name)), group.external_id.clone()),
        _ => (None, None),
    }
}

impl Known {
    fn put(&mut self, resource: ScimResource) {
        let name = resource.name_any();
        let place = (resource.spec.connection_uid.clone(), wire::kind(&resource));
        if let Some(known) = self.places.get(&name).and_then(|place| self.shelves.get(place)?.by_name.get(&name)) {
            let version =
                |resource: &ScimResource| resource.resource_version().and_then(|version| version.parse::<u128>().ok());
            if known.uid() == resource.uid() && version(known) > version(&resource) {
                return; // the watch is behind what was written here
            }
        }
        self.remove(&name);
        let (title, external_id) = titles(&resource);
        let shelf = self.shelves.entry(place.clone()).or_default();
        for (index, key) in [(&mut shelf.by_title, title), (&mut shelf.by_external_id, external_id)] {
            if let Some(key) = key {
                index.entry(key).or_default().insert(name.clone());
            }
        }
        shelf.by_name.insert(name.clone(), Arc::new(resource));
        self.places.insert(name, place);
    }

    fn remove(&mut self, name: &str) {
        let Some(shelf) = self.places.remove(name).and_then(|place| self.shelves.get_mut(&place)) else { return };
        let Some(resource) = shelf.by_name.remove(name) else { return };
        let (title, external_id) = titles(&resource);
        for (index, key) in [(&mut shelf.by_title, title), (&mut shelf.by_external_id, external_id)] {
            let Some(key) = key else { continue };
            if let Some(names) = index.get_mut(&key) {
                names.remove(name);
                if names.is_empty() {
                    index.remove(&key);
                }
            }
        }
    }
}

/// The resources of all connections.
pub struct Resources {
    api: Api<ScimResource>,
    known: Mutex<Known>,
    clock: fn() -> Timestamp,
}

impl Resources {
    /// Those of a namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str, clock: fn() -> Timestamp) -> Self {
        Self { api: Api::namespaced(client, namespace), known: Mutex::default(), clock }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event of the watch.
    pub fn see(&self, event: Event<ScimResource>) {
        let mut known = self.known();
        match event {
            Event::Init => known.coming = Some(BTreeSet::new()),
            Event::InitApply(resource) => {
                if let Some(coming) = &mut known.coming {
                    coming.insert(resource.name_any());
                }
                known.put(resource);
            }
            Event::InitDone => {
                let coming = known.coming.take().unwrap_or_default();
                let gone: Vec<String> = known.places.keys().filter(|name| !coming.contains(*name)).cloned().collect();
                gone.iter().for_each(|name| known.remove(name));
                known.listed = true;
            }
            Event::Apply(resource) => known.put(resource),
            Event::Delete(resource) => known.remove(&resource.name_any()),
        }
    }

    /// Whether all were listed once: before that, nobody is answered, since a filter would find nobody.
    #[must_use]
    pub fn listed(&self) -> bool {
        self.known().listed
    }

    /// Resources of a connection that may have a text, by what the protocol calls it; without one, all of them.
    #[must_use]
    pub fn list(&self, of: &Accepted, kind: Kind, key: Option<(&str, &str)>) -> Vec<Arc<ScimResource>> {
        let known = self.known();
        let Some(shelf) = known.shelves.get(&(of.uid.clone(), kind)) else { return Vec::new() };
        let of_names = |names: Option<&BTreeSet<String>>| {
            names.into_iter().flatten().filter_map(|name| shelf.by_name.get(name).cloned()).collect()
        };
        match (key, kind) {
            (Some(("id", id)), _) => {
                name_of(id).and_then(|name| shelf.by_name.get(name)).cloned().into_iter().collect()
            }
            (Some(("externalId", id)), _) => of_names(shelf.by_external_id.get(id)),
            (Some(("userName", name)), Kind::User) => of_names(shelf.by_title.get(&folded(name))),
            (Some(("displayName", name)), Kind::Group) => of_names(shelf.by_title.get(&folded(name))),
            _ => shelf.by_name.values().cloned().collect(),
        }
    }

    /// A resource of a connection by its id, as new as the call.
    ///
    /// # Errors
    /// `Missing`, also for one of another connection.
    pub async fn get(&self, of: &Accepted, kind: Kind, id: &str) -> Result<ScimResource, Undone> {
        let name = name_of(id).ok_or(Undone::Missing)?;
        let found = call("read a resource", self.api.get_opt(name)).await?;
        let ours = |one: &ScimResource| {
            one.spec.connection_uid == of.uid
                && wire::kind(one) == kind
                && one.scim_id() == id
                && one.metadata.deletion_timestamp.is_none()
        };
        found.filter(ours).ok_or(Undone::Missing)
    }

    /// Makes a resource.
    ///
    /// # Errors
    /// `uniqueness`, when another user has the user name.
    pub async fn create(
        &self,
        of: &Accepted,
        kind: Kind,
        mut sent: Map<String, Value>,
    ) -> Result<ScimResource, Undone> {
        let title = sent.get("userName").and_then(Value::as_str).map(folded).unwrap_or_default();
        self.room(of)?;
        if kind == Kind::User {
            self.unique(of, &title, None)?;
            // An account of which nothing is said may be used.
            sent.entry("active").or_insert(Value::Bool(true));
        }
        for attempt in 0..NAMES {
            let name = match kind {
                Kind::User => user_object(&of.uid, &title, attempt),
                Kind::Group => random_object()?,
            };
            let resource = self.made(of, kind, &name, sent.clone())?;
            match call("make a resource", self.api.create(&PostParams::default(), &resource)).await {
                Ok(made) => {
                    self.known().put(made.clone());
                    return Ok(made);
                }
                Err(fault) if fault.is_conflict() => {
                    let there = call("read a resource", self.api.get_opt(&name)).await?;
                    if kind == Kind::User && there.is_some_and(|one| titles(&one).0.as_deref() == Some(&title)) {
                        return Err(taken().into());
                    }
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(taken().into())
    }

    /// Changes a resource: what `change` makes of its attributes. Nothing is written if nothing changes.
    ///
    /// # Flow          live read, the client's version, the change, one write over exactly what was read; again if somebody was faster
    /// # Errors        `Missing`, `Changed`, what `change` refuses, `uniqueness`
    pub async fn change(
        &self,
        of: &Accepted,
        (kind, id): (Kind, &str),
        expected: Option<&str>,
        change: impl Fn(&Map<String, Value>) -> Result<Map<String, Value>, Refused>,
    ) -> Result<ScimResource, Undone> {
        for _ in 0..TRIES {
            let mut resource = self.get(of, kind, id).await?;
            matches_version(&resource, expected)?;
            let before = wire::attributes(&resource);
            let after = change(&before)?;
            if before == after {
                return Ok(resource);
            }
            if kind == Kind::User
                && let Some(title) = after.get("userName").and_then(Value::as_str).map(folded)
            {
                self.unique(of, &title, Some(&resource.name_any()))?;
            }
            wire::put(&mut resource, kind, after, (self.clock)()).map_err(|_| unreadable())?;
            let name = resource.name_any();
            match call("change a resource", self.api.replace(&name, &PostParams::default(), &resource)).await {
                Ok(changed) => {
                    self.known().put(changed.clone());
                    return Ok(changed);
                }
                Err(fault) if fault.is_conflict() || fault.is_not_found() => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Err(Fault::Transient { doing: "change a resource", cause: "others write it all the time".to_owned() }.into())
    }

    /// Applies a PATCH.
    ///
    /// # Errors
    /// As for [`Self::change`].
    pub async fn patch(
        &self,
        of: &Accepted,
        at: (Kind, &str),
        expected: Option<&str>,
        body: &Value,
    ) -> Result<ScimResource, Undone> {
        self.change(of, at, expected, |before| patch::apply(at.0, before, body)).await
    }

    /// Deletes exactly the resource that this id names.
    ///
    /// # Errors
    /// `Missing`, `Changed`.
    #[allow(
        clippy::disallowed_methods,
        reason = "the client takes back what it made: a ScimResource, and nothing else"
    )]
    pub async fn delete(&self, of: &Accepted, kind: Kind, id: &str, expected: Option<&str>) -> Result<(), Undone> {
        let resource = self.get(of, kind, id).await?;
        matches_version(&resource, expected)?;
        let name = resource.name_any();
        let exactly = Preconditions { uid: resource.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
        match call("delete a resource", self.api.delete(&name, &params)).await {
            Ok(_) => {
                self.known().remove(&name);
                Ok(())
            }
            Err(fault) if fault.is_conflict() || fault.is_not_found() => Err(Undone::Missing),
            Err(fault) => Err(fault.into()),
        }
    }

    fn made(&self, of: &Accepted, kind: Kind, name: &str, sent: Map<String, Value>) -> Result<ScimResource, Undone> {
        let spec = ScimResourceSpec {
            connection: of.connection.clone(),
            connection_uid: of.uid.clone(),
            changed: (self.clock)(),
            user: None,
            group: None,
        };
        let mut resource = ScimResource::new(name, spec);
        let connection =
            ObjectMeta { name: Some(of.connection.clone()), uid: Some(of.uid.clone()), ..ObjectMeta::default() };
        let mut owner: HRConnection = HRConnection::new(
            &of.connection,
            serde_json::from_value(serde_json::json!({"source": {}})).map_err(|_| unreadable())?,
        );
        owner.metadata = connection;
        resource.metadata.owner_references = owner.owner_ref(&()).map(|owner| vec![owner]);
        wire::put(&mut resource, kind, sent, (self.clock)()).map_err(|_| unreadable())?;
        Ok(resource)
    }

    /// Whether nobody else has this user name, as far as this replica knows.
    fn unique(&self, of: &Accepted, title: &str, but: Option<&str>) -> Result<(), Refused> {
        let known = self.known();
        let names = known.shelves.get(&(of.uid.clone(), Kind::User)).and_then(|shelf| shelf.by_title.get(title));
        let another = names.into_iter().flatten().any(|name| Some(name.as_str()) != but);
        if another { Err(taken()) } else { Ok(()) }
    }

    fn room(&self, of: &Accepted) -> Result<(), Undone> {
        let known = self.known();
        let shelves = Kind::ALL.into_iter().filter_map(|kind| known.shelves.get(&(of.uid.clone(), kind)));
        if shelves.map(|shelf| shelf.by_name.len()).sum::<usize>() < MOST { Ok(()) } else { Err(Undone::Full) }
    }
}

fn matches_version(resource: &ScimResource, expected: Option<&str>) -> Result<(), Undone> {
    let mut versions = expected.into_iter().flat_map(|all| all.split(',')).map(str::trim).peekable();
    let plain = |version: &str| version.trim_start_matches("W/").to_owned();
    let is = plain(&wire::etag(resource));
    if versions.peek().is_none() || versions.any(|version| version == "*" || plain(version) == is) {
        Ok(())
    } else {
        Err(Undone::Changed)
    }
}

fn taken() -> Refused {
    Refused { class: Class::Uniqueness, detail: "another user has this userName".to_owned() }
}

fn unreadable() -> Refused {
    Refused { class: Class::InvalidValue, detail: "the resource cannot be kept".to_owned() }
}

/// The name of the object that an id names: what stands before the part of its uid.
fn name_of(id: &str) -> Option<&str> {
    let fits =
        id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    id.rsplit_once('-').map(|(name, _)| name).filter(|name| fits && name.starts_with("scim-"))
}

fn object(bytes: &[u8]) -> String {
    format!("scim-{}", data_encoding::BASE32_NOPAD.encode(bytes.get(..15).unwrap_or(bytes)).to_lowercase())
}

/// The name of a user's object: a digest, so that nobody's name is in it.
fn user_object(connection_uid: &str, title: &str, attempt: usize) -> String {
    object(&Sha256::digest(format!("{connection_uid}\n{attempt}\n{title}")))
}

fn random_object() -> Result<String, Undone> {
    let mut bytes = [0; 15];
    let random = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    random.map_err(|_| Fault::Transient { doing: "make a name", cause: "no randomness".to_owned() })?;
    Ok(object(&bytes))
}

#[cfg(test)]
mod tests;
