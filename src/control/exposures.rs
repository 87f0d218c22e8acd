//! What a leaver could read: Secrets that are not theirs; and where they could open a session. Found out when their cut is planned, or until it
//! is over: of the bindings that went meanwhile, the manifests are kept.
//!
//! RBAC is read once for all who leave at the time, while the plan goes on: a list that comes late, or not at all, delays
//! no act. It is written with the release, or with the end: a write of its own would come between a human and what they decide on. A list is of what could be read, not of what was.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::freeze::first;
use super::{Context, owned_status};
use crate::api::Revocation;
use crate::api::convert;
use crate::api::revocation::{Exposure, Operation, Sessions};
use crate::kube::calls::call;
use crate::kube::inventory::{self, list_each};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::rbac;
use domain::exposure::{self, Exposed, MAX_ROWS, Tier};
use domain::plan::{self, Binding};
use domain::rbac::{Rbac, RoleBound};
use domain::sessions::Places;

/// Those who leave together are looked at together.
const TOGETHER: Duration = Duration::from_millis(100);
/// Wait after RBAC could not be read.
const LATER: Duration = Duration::from_secs(5);
/// How often that is tried for the same leavers.
const TRIES: usize = 3;
/// Revocations that are read at once.
const AT_ONCE: usize = 8;
/// Most namespaces whose pods are listed for one leaver; of the others it is only said that they could run something there.
const MAX_LISTED: usize = 16;

/// How long a cut gives way before its end for what is not found.
const AWAITED: Duration = Duration::from_secs(20);

/// Secrets by pod.
type Used = BTreeMap<String, BTreeSet<String>>;

/// What was found, until it is written, and for whom it is to be found.
#[derive(Default)]
pub struct Exposures {
    asked: Mutex<BTreeSet<String>>,
    /// By uid: what was found, or since when it is looked for.
    known: Mutex<HashMap<String, Result<Exposure, Instant>>>,
    told: Notify,
}

impl Exposures {
    /// What is known for a Revocation; has it found out if nothing is.
    pub fn of(&self, revocation: &Revocation) -> Option<Exposure> {
        let status = revocation.status.as_ref();
        let known = status.and_then(|status| status.exposure.clone());
        if known.is_some() || revocation.spec.operation != Operation::Cut {
            return known;
        }
        let uid = revocation.uid()?;
        let found = self.known().get(&uid).and_then(|known| known.as_ref().ok().cloned());
        // Also once the revoker is at work, since it keeps what it ends: a process that led before may have died with what it had found.
        if found.is_none() && owned_status::open(revocation) {
            self.known().entry(uid).or_insert_with(|| Err(Instant::now()));
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(revocation.name_any());
            self.told.notify_one();
        }
        found
    }

    /// Whether it is still looked for by this process, and may be found in a moment.
    pub fn awaited(&self, revocation: &Revocation) -> bool {
        let since = revocation.uid().and_then(|uid| self.known().get(&uid)?.as_ref().err().copied());
        since.is_some_and(|since| since.elapsed() < AWAITED)
    }

    /// A Revocation is over or gone.
    pub fn forget(&self, uid: &str) {
        self.known().remove(uid);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Result<Exposure, Instant>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Finds it out for everybody who is asked about, for as long as the process lives.
pub async fn keep(ctx: Arc<Context>) {
    loop {
        ctx.exposures.told.notified().await;
        tokio::time::sleep(TOGETHER).await;
        let names = ctx.exposures.take();
        for tried in 1..=TRIES {
            match find(&ctx, &names, tried == TRIES).await {
                Ok(()) => break,
                Err(fault) => tracing::warn!(%fault, "what leavers could read is not known; tried again"),
            }
            tokio::time::sleep(LATER).await;
        }
    }
}

/// `last`: what is listed is taken as it is. Else a list that lacks a binding of theirs that is watched, or its role, is of before.
async fn find(ctx: &Context, names: &BTreeSet<String>, last: bool) -> Result<(), Fault> {
    let mut rbac = everything(ctx).await?;
    rbac.bindings.extend(gone(ctx, names).await?);
    let (mut of_before, mut listed) = (false, BTreeMap::new());
    for name in names {
        let Some(revocation) = ctx.stores.revocations.get(name) else { continue };
        let person = ctx.stores.people.get(&revocation.spec.person);
        let (Some(person), Some(uid)) = (person, revocation.uid()) else { continue };
        if ctx.exposures.known().get(&uid).is_some_and(Result::is_ok) {
            continue; // asked for again while it was being found
        }
        let facts = convert::person_facts(&person, (ctx.clock)());
        let belongings = ctx.owned(|owned| owned.of(&facts, &BTreeSet::new()));
        if !last && belongings.bindings.iter().any(|one| lacks(&rbac, &one.object)) {
            of_before = true;
            continue;
        }
        let accounts: Vec<_> = belongings.accounts.into_iter().map(|account| account.object).collect();
        let who = rbac::everything_of(&facts, &belongings.index, &accounts, &rbac);
        // First without pods, which says where these matter.
        let places = exposure::exposed(&rbac, &who, &BTreeMap::new());
        let places = places.into_iter().filter(|row| row.tier == Tier::Exec && !row.namespace.is_empty());
        let places: BTreeSet<String> = places.map(|row| row.namespace).take(MAX_LISTED).collect();
        let unlisted = places.iter().filter(|place| !listed.contains_key(*place)).cloned().collect();
        listed.extend(used(ctx, unlisted).await);
        let used = places.into_iter().filter_map(|place| Some((place.clone(), listed.get(&place)?.clone()?)));
        let rows = exposure::exposed(&rbac, &who, &used.collect());
        let names = match ctx.stores.policies.get(&revocation.spec.policy) {
            Some(policy) => plan::user_names(&facts, &belongings.index, &first::protected(ctx, &policy)),
            None => Vec::new(),
        };
        let own = rbac::names_of(&facts, &belongings.index, names.iter().map(|name| name.name.as_str()), &rbac);
        let sessions = Sessions::of(&Places::of(&rbac, &own));
        let exposure = Exposure { sessions, ..shown(rows, (ctx.clock)()) };
        ctx.exposures.known().insert(uid, Ok(exposure));
    }
    if of_before {
        let cause = "the API server listed fewer of them than it has told of".to_owned();
        return Err(Fault::Transient { doing: "read roles and bindings", cause });
    }
    Ok(())
}

/// Whether a binding that is watched is not listed, or its role is not.
fn lacks(rbac: &Rbac, watched: &Binding) -> bool {
    let is_it = |one: &&RoleBound| (&one.namespace, &one.name) == (&watched.namespace, &watched.name);
    rbac.bindings.iter().find(is_it).is_none_or(|listed| !rbac.roles.contains_key(&listed.role))
}

/// Roles and bindings of the whole cluster.
async fn everything(ctx: &Context) -> Result<Rbac, Fault> {
    let all = ListParams::default();
    let client = || ctx.client.clone();
    let (roles, cluster_roles) = (Api::<Role>::all(client()), Api::<ClusterRole>::all(client()));
    let (bindings, cluster) = (Api::<RoleBinding>::all(client()), Api::<ClusterRoleBinding>::all(client()));
    let (roles, cluster_roles, bindings, cluster) = futures::try_join!(
        list_each(&roles, &all, Some),
        list_each(&cluster_roles, &all, Some),
        list_each(&bindings, &all, Some),
        list_each(&cluster, &all, Some),
    )?;
    Ok(Rbac { roles: rbac::roles(&roles, &cluster_roles), bindings: rbac::bindings(&bindings, &cluster) })
}

/// The bindings that the revoker has ended of these, or is about to: read after all others, since it keeps the manifest of each before
/// it acts. Without them, a revoker that is quicker than the list would make somebody's rights look smaller than they were.
async fn gone(ctx: &Context, names: &BTreeSet<String>) -> Result<Vec<RoleBound>, Fault> {
    let revocations: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let reads = names.iter().cloned().map(|name| {
        let revocations = revocations.clone();
        async move { call("read what was kept of a leaver", revocations.get_opt(&name)).await }
    });
    let read: Vec<_> = futures::stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(read.iter().flatten().flat_map(kept).collect())
}

/// The bindings whose manifests a Revocation has kept.
fn kept(revocation: &Revocation) -> Vec<RoleBound> {
    let (mut namespaced, mut cluster) = (Vec::<RoleBinding>::new(), Vec::<ClusterRoleBinding>::new());
    for kept in revocation.status.iter().flat_map(|status| &status.kept) {
        let Ok(manifest) = serde_json::from_str::<Value>(&kept.manifest) else { continue };
        match manifest.get("kind").and_then(Value::as_str) {
            Some("RoleBinding") => namespaced.extend(serde_json::from_value(manifest)),
            Some("ClusterRoleBinding") => cluster.extend(serde_json::from_value(manifest)),
            _ => {}
        }
    }
    rbac::bindings(&namespaced, &cluster)
}

/// The Secrets that pods use, by namespace; none of one that does not let control see what runs there.
async fn used(ctx: &Context, places: BTreeSet<String>) -> BTreeMap<String, Option<Used>> {
    let reads = places.into_iter().map(|namespace| async move {
        let pods = inventory::pods(&ctx.client, &namespace).await.ok();
        let used = pods.map(|pods| pods.into_iter().map(|pod| (pod.name, pod.uses.secrets)).collect());
        (namespace, used)
    });
    futures::future::join_all(reads).await.into_iter().collect()
}

/// As the Revocation shows it: bounded, and how many there are more.
fn shown(rows: Vec<Exposed>, at: jiff::Timestamp) -> Exposure {
    let more = u32::try_from(rows.len().saturating_sub(MAX_ROWS)).unwrap_or(u32::MAX);
    Exposure { at, secrets: rows.into_iter().take(MAX_ROWS).map(Into::into).collect(), more, sessions: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_bounded_and_says_how_much_it_leaves_out() {
        let row =
            |number: usize| Exposed { tier: Tier::Named, namespace: "apps".into(), name: format!("s-{number:03}") };
        let of = |number| {
            let shown = shown((0..number).map(row).collect(), jiff::Timestamp::UNIX_EPOCH);
            (shown.secrets.len(), shown.more)
        };
        assert_eq!((of(2), of(MAX_ROWS), of(MAX_ROWS + 7)), ((2, 0), (MAX_ROWS, 0), (MAX_ROWS, 7)));
    }

    #[test]
    fn what_the_revoker_has_ended_already_counts_by_its_kept_manifest() {
        let manifest = |kind: &str, namespace: serde_json::Value| {
            serde_json::json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
                "metadata": {"name": "mine", "namespace": namespace},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "oidc:ada@example.com"}]})
        };
        let account = serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci"}});
        let kept_of = |manifest: serde_json::Value| serde_json::json!({"uid": "u", "manifest": manifest.to_string(), "sha256": ""});
        let revocation: Revocation = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p-7-cut", "uid": "u"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination",
                     "operation": "Cut", "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": {"phase": "Released", "kept": [
                kept_of(manifest("RoleBinding", "apps".into())), kept_of(manifest("ClusterRoleBinding", serde_json::Value::Null)), kept_of(account),
            ]},
        }))
        .unwrap();
        let found: Vec<_> =
            kept(&revocation).into_iter().map(|one| (one.namespace, one.name, one.subjects.len())).collect();
        assert_eq!(found, [("apps".into(), "mine".into(), 1), (String::new(), "mine".into(), 1)]);
    }

    #[test]
    fn a_list_without_a_binding_that_is_watched_or_without_its_role_is_of_before() {
        let watched = Binding {
            kind: plan::Kind::RoleBinding,
            namespace: "apps".into(),
            name: "mine".into(),
            uid: "u".into(),
            subjects: Vec::new(),
            break_glass: false,
        };
        let role = || ("apps".to_owned(), "edit".to_owned());
        let bound = |namespace: &str| RoleBound {
            namespace: namespace.into(),
            name: "mine".into(),
            role: role(),
            subjects: Vec::new(),
        };
        let listed = |bindings, roles: &[_]| Rbac { roles: roles.iter().cloned().collect(), bindings };
        let known = (role(), Vec::new());
        assert!(!lacks(&listed(vec![bound("other"), bound("apps")], std::slice::from_ref(&known)), &watched));
        assert!(lacks(&listed(vec![bound("other")], &[known]), &watched), "no binding");
        assert!(lacks(&listed(vec![bound("apps")], &[]), &watched), "no role");
    }

    #[test]
    fn it_is_found_out_for_a_cut_that_is_not_over_and_for_nothing_else() {
        let revocation = |operation: &str, status: serde_json::Value| -> Revocation {
            serde_json::from_value(serde_json::json!({
                "metadata": {"name": "p-7-cut", "uid": "u"},
                "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination",
                         "operation": operation, "due": "2026-03-01T00:00:00Z", "reason": "left"},
                "status": status,
            }))
            .unwrap()
        };
        let at = "2026-03-01T00:00:00Z";
        for (what, operation, status, expected) in [
            ("planned", "Cut", serde_json::json!({"phase": "Held"}), true),
            ("released", "Cut", serde_json::json!({"phase": "Released"}), true),
            ("at work", "Cut", serde_json::json!({"phase": "Released", "claim": {"by": "r", "at": at}}), true),
            ("over", "Cut", serde_json::json!({"phase": "Revoked", "claim": {"by": "r", "at": at}}), false),
            ("known", "Cut", serde_json::json!({"phase": "Held", "exposure": {"at": at}}), false),
            ("a removal", "Remove", serde_json::json!({"phase": "Held"}), false),
        ] {
            let exposures = Exposures::default();
            exposures.of(&revocation(operation, status));
            assert_eq!(!exposures.take().is_empty(), expected, "{what}");
        }
    }
}
