//! Users that identity providers pushed, followed by a watch, and as the page that a connection's poll reads.
//!
//! What is pushed to `rollcall scim` lies in ScimResources. A change of one asks its connection to be read, and the read is of all
//! there are: the trust gate sees a whole answer each time, whatever the order in which it came.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::api::condition::Reason;
use crate::api::connection::ScimId;
use crate::api::scim::ScimUser;
use crate::api::{HRConnection, ScimResource};
use crate::kube::outcome::Fault;

/// A first cycle is over when nothing was pushed for so long.
const QUIET: Duration = Duration::from_secs(30);
/// Look whether it is over.
const AGAIN: Duration = Duration::from_secs(5);

/// All users that were pushed, by the name of their object.
#[derive(Default)]
pub struct PushedUsers(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Whether all were listed once.
    listed: bool,
    users: BTreeMap<String, Kept>,
    /// Those of a list that has not ended.
    coming: BTreeMap<String, Kept>,
    /// When a user of a connection was last seen to change, by the connection's name.
    touched: BTreeMap<String, Instant>,
}

#[derive(Clone, PartialEq)]
struct Kept {
    connection: String,
    connection_uid: String,
    id: String,
    user: ScimUser,
}

impl Kept {
    fn of(resource: ScimResource) -> Option<Self> {
        let id = resource.scim_id();
        let spec = resource.spec;
        Some(Self { connection: spec.connection, connection_uid: spec.connection_uid, id, user: spec.user? })
    }

    fn hr_id(&self, by: ScimId) -> Option<&str> {
        match by {
            ScimId::Id => Some(&self.id),
            ScimId::ExternalId => self.user.external_id.as_deref(),
            ScimId::EmployeeNumber => self.user.enterprise.as_ref()?.employee_number.as_deref(),
        }
    }
}

impl PushedUsers {
    /// Takes an event of the watch, and gives the names of connections that have other users now.
    pub fn see(&self, event: Event<ScimResource>) -> BTreeSet<String> {
        let changed = self.take(event);
        let now = Instant::now();
        self.known().touched.extend(changed.iter().map(|name| (name.clone(), now)));
        changed
    }

    fn take(&self, event: Event<ScimResource>) -> BTreeSet<String> {
        let mut known = self.known();
        match event {
            Event::Init => known.coming.clear(),
            Event::InitApply(resource) => {
                let name = resource.name_any();
                if let Some(kept) = Kept::of(resource) {
                    known.coming.insert(name, kept);
                }
            }
            Event::InitDone => {
                let after = std::mem::take(&mut known.coming);
                let before = std::mem::replace(&mut known.users, after);
                known.listed = true;
                return changed(&before, &known.users);
            }
            Event::Apply(resource) => {
                let name = resource.name_any();
                let Some(kept) = Kept::of(resource) else { return BTreeSet::new() };
                let connection = kept.connection.clone();
                let before = known.users.insert(name.clone(), kept);
                return (before.as_ref() != known.users.get(&name)).then_some(connection).into_iter().collect();
            }
            Event::Delete(resource) => {
                return known.users.remove(&resource.name_any()).map(|kept| kept.connection).into_iter().collect();
            }
        }
        BTreeSet::new()
    }

    /// Whether the first cycle of a connection is over, so that its first response is of everybody: whoever is not active in it has been
    /// so before, and is part of the baseline.
    ///
    /// # Errors
    /// While it goes on.
    pub fn settled(&self, connection: &str, now: Instant) -> Result<(), Fault> {
        let touched = self.known().touched.get(connection).copied();
        if touched.is_none_or(|at| now.saturating_duration_since(at) >= QUIET) {
            return Ok(());
        }
        Err(Fault::Waiting {
            reason: Reason::FirstCycle,
            message: format!(
                "Users are being pushed for the first time: they are read once nothing was pushed for {}s.",
                QUIET.as_secs()
            ),
            again: AGAIN,
        })
    }

    /// Everybody who was pushed for exactly this connection, as one page; none where there is nobody.
    ///
    /// # Errors
    /// While not all are listed: an answer of some would be one of fewer.
    pub fn page(&self, connection: &HRConnection, by: ScimId) -> Result<Option<Vec<u8>>, Fault> {
        let known = self.known();
        if !known.listed {
            return Err(Fault::Transient { doing: "list what was pushed", cause: "not done yet".to_owned() });
        }
        let uid = connection.uid().unwrap_or_default();
        let ours: Vec<&Kept> = known.users.values().filter(|kept| kept.connection_uid == uid).collect();
        if ours.is_empty() {
            return Ok(None);
        }
        let ids: HashMap<&str, &str> =
            ours.iter().filter_map(|kept| Some((kept.id.as_str(), kept.hr_id(by)?))).collect();
        let records: Vec<Value> = ours.iter().map(|kept| record(kept, &ids)).collect();
        let page = serde_json::to_vec(&json!({ "Resources": records }));
        page.map(Some).map_err(|_| Fault::Transient { doing: "read what was pushed", cause: "not JSON".to_owned() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn changed(before: &BTreeMap<String, Kept>, after: &BTreeMap<String, Kept>) -> BTreeSet<String> {
    let gone = before.iter().filter(|(name, kept)| after.get(*name) != Some(kept));
    let new = after.iter().filter(|(name, kept)| before.get(*name) != Some(kept));
    gone.chain(new).map(|(_, kept)| kept.connection.clone()).collect()
}

/// A user as a record, with what the mapping cannot pick by a path: the address, a name made of its parts, and the employee id of the
/// manager, whom SCIM names by the id that Rollcall gave.
fn record(kept: &Kept, ids: &HashMap<&str, &str>) -> Value {
    let user = &kept.user;
    let mut record = serde_json::to_value(user).unwrap_or_default();
    let Some(fields) = record.as_object_mut() else { return record };
    fields.insert("id".to_owned(), kept.id.clone().into());
    let name = user.name.as_ref();
    let parts = [name.and_then(|name| name.given_name.as_deref()), name.and_then(|name| name.family_name.as_deref())];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        fields.insert("fullName".to_owned(), parts.join(" ").into());
    }
    if let Some(address) = address(user) {
        fields.insert("workEmail".to_owned(), address.into());
    }
    let manager = user.enterprise.as_ref().and_then(|enterprise| enterprise.manager.as_ref()?.value.as_deref());
    if let Some(id) = manager.and_then(|id| ids.get(id)) {
        fields.insert("managerId".to_owned(), (*id).into());
    }
    record
}

/// The work address: the one that says so, the preferred one, the only one, or a user name that is one.
fn address(user: &ScimUser) -> Option<&str> {
    let work =
        user.emails.iter().find(|email| email.type_.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("work")));
    let primary = || user.emails.iter().find(|email| email.primary == Some(true));
    let only = || user.emails.first().filter(|_| user.emails.len() == 1);
    let email = work.or_else(primary).or_else(only).and_then(|email| email.value.as_deref());
    email.or_else(|| Some(user.user_name.as_str()).filter(|name| name.contains('@')))
}

#[cfg(test)]
mod tests;
