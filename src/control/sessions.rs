//! Pods in which a leaver may have a session open, and that are evicted where the policy says so: a Revocation of its own for each
//! termination, which waits for an approval of its own.
//!
//! ```text
//! the cut is planned ─▶ where could they open a session? (exposures) ─▶ names frozen, the cut over ─▶ pods of before that, by uid
//! ```
//! Nothing of it begins before the user names are frozen: until then another session could be opened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};

use super::Context;
use super::exposures::Exposures;
use super::freeze::first;
use super::recent::Recent;
use crate::api::policy::Sessions as Wanted;
use crate::api::revocation::Remaining;
use crate::api::{Revocation, SyncPolicy, convert};
use crate::kube::outcome::Fault;
use crate::kube::pods;
use domain::plan::{self, ClusterInventory, MAX_OBJECTS, Plan};
use domain::sessions::{self, Picked, Places};
use domain::waves::Pod;

/// How long after the freeze pods are looked for, where there was none to evict at first.
const LATELY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a list of pods is good for those who ask after it.
const FRESH: Duration = Duration::from_secs(2);
/// Namespaces listed at once for one plan, and most of them.
const AT_ONCE: usize = 8;
const MAX_LISTED: usize = 64;

/// The last lists of pods: many who leave together could open sessions in the same namespaces.
#[derive(Default)]
pub struct Sessions(Recent<Vec<Pod>>);

impl Sessions {
    /// The pods that run in a namespace; none where control may not list them.
    async fn pods(&self, ctx: &Context, namespace: &str) -> Result<Option<Arc<Vec<Pod>>>, Fault> {
        let running = async { Ok(pods::of_namespace(&ctx.client, namespace).await?.running) };
        self.0.of(namespace, FRESH, running).await
    }
}

/// Whether it is to be made: the policy has pods evicted, the names are frozen and the cut is over, and there is any pod.
///
/// # Errors
/// When the API server did not answer: looked at again.
pub async fn are_missing(
    ctx: &Context,
    policy: &SyncPolicy,
    cut: &Revocation,
    told: &[Arc<Revocation>],
) -> Result<bool, Fault> {
    if told.iter().any(|other| convert::evicts(other)) {
        return Ok(false);
    }
    let Some((places, frozen)) = wanted(policy, cut).filter(|(_, at)| is_lately(*at, (ctx.clock)())) else {
        return Ok(false);
    };
    Ok(!pick(ctx, policy, &places, frozen).await?.targets.is_empty())
}

fn is_lately(frozen: Timestamp, now: Timestamp) -> bool {
    now.duration_since(frozen) <= LATELY
}

/// Where a session may be open and since when none can be opened, where the policy has such pods evicted.
fn wanted(policy: &SyncPolicy, cut: &Revocation) -> Option<(Places, Timestamp)> {
    (policy.spec.revocation.sessions == Wanted::Evict).then(|| convert::sessions(cut)).flatten()
}

/// Whether a cut gives way for a moment before its end: once it is over, where sessions may be open is not asked again.
pub fn gives_way(exposures: &Exposures, revocation: &Revocation, policy: Option<&SyncPolicy>) -> bool {
    let evicts = policy.is_some_and(|policy| policy.spec.revocation.sessions == Wanted::Evict);
    evicts && !revocation.spec.late && exposures.awaited(revocation)
}

/// Turns the plan of what turned up later into one of pods: their targets in place of all others, and what remains of sessions beside
/// what remains otherwise.
///
/// # Errors
/// When the API server did not answer: no plan follows from silence.
pub async fn draw(ctx: &Context, policy: &SyncPolicy, cut: Option<&Revocation>, plan: &mut Plan) -> Result<(), Fault> {
    let picked = match cut.and_then(|cut| wanted(policy, cut)) {
        Some((places, frozen)) => pick(ctx, policy, &places, frozen).await?,
        None => Picked::default(),
    };
    plan.targets = picked.targets;
    plan.workloads = picked.workloads;
    plan.remaining.truncate(MAX_OBJECTS.saturating_sub(picked.remaining.len()));
    plan.remaining.extend(picked.remaining);
    Ok(())
}

/// The pods, of the namespaces that consented.
async fn pick(ctx: &Context, policy: &SyncPolicy, places: &Places, frozen: Timestamp) -> Result<Picked, Fault> {
    let own_namespaces = vec![ctx.options.namespace.clone(), ctx.options.revoker_namespace.clone()];
    let mut world = ClusterInventory { own_namespaces, ..ClusterInventory::default() };
    let protected = first::protected(ctx, policy);
    let mut listed = Vec::new();
    for namespace in candidates(places, ctx.consents.granted()) {
        let consent = ctx.consents.of(ctx, &namespace).await?;
        world.consents.insert(namespace.clone(), consent);
        if sessions::may_evict_in(&namespace, &world, &protected) && listed.len() < MAX_LISTED {
            listed.push(namespace);
        }
    }
    let reads = listed.into_iter().map(|namespace| async move {
        let pods = ctx.sessions.pods(ctx, &namespace).await?;
        Ok::<_, Fault>(pods.map(|pods| (namespace, pods.to_vec())))
    });
    let pods: Vec<_> = futures::stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(sessions::pick(places, &pods.into_iter().flatten().collect::<BTreeMap<_, _>>(), frozen))
}

/// Namespaces that a right of theirs names, and where it is of all, those in which a binding names the revoker.
fn candidates(places: &Places, granted: BTreeSet<String>) -> Vec<String> {
    let reach = &places.pods;
    let named = reach.namespaces.iter().chain(reach.named.iter().map(|(namespace, _)| namespace));
    let named: BTreeSet<String> = named.filter(|namespace| !namespace.is_empty()).cloned().collect();
    let all = reach.everywhere || reach.named.iter().any(|(namespace, _)| namespace.is_empty());
    let others = granted.into_iter().filter(|one| all && !one.is_empty() && !named.contains(one));
    let others: Vec<String> = others.collect();
    named.into_iter().chain(others).collect()
}

/// Whether something that remained of sessions may still be open: a pod that was there then, or one of its namespace. What cannot be
/// seen may.
///
/// # Errors
/// When the API server did not answer.
pub async fn may_be_open(ctx: &Context, left: &Remaining, acted: Option<Timestamp>) -> Result<bool, Fault> {
    let pod = left.what.strip_prefix("Pod ").and_then(|place| place.split_once('/'));
    let whole = left.what.strip_prefix(&sessions::of_namespace(""));
    let (namespace, name) = match (pod, whole, acted) {
        (Some((namespace, name)), _, Some(_)) => (namespace, Some(name)),
        (None, Some(namespace), Some(_)) => (namespace, None),
        _ => return Ok(true),
    };
    let by_then = |pod: &&Pod| acted.is_none_or(|acted| pod.created <= acted);
    let Some(pods) = ctx.sessions.pods(ctx, namespace).await? else { return Ok(true) };
    Ok(pods.iter().filter(by_then).any(|pod| name.is_none_or(|name| pod.name == name)))
}

/// The pods of a plan that are still to be evicted, as the list of the admission policy has them.
pub fn listed(target: &plan::Target) -> (String, String) {
    (target.uid.clone(), format!("{}/{}", target.namespace, target.name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(sessions: &str) -> SyncPolicy {
        serde_json::from_value(json!({
            "metadata": {"name": "everyone"},
            "spec": {"mode": "Enforce", "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"},
                     "revocation": {"sessions": sessions}},
        }))
        .unwrap()
    }

    fn cut(status: &Value) -> Revocation {
        serde_json::from_value(json!({
            "metadata": {"name": "p-7-1-cut", "uid": "u-cut", "creationTimestamp": "2026-03-01T00:00:00Z"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                     "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn pods_are_evicted_only_once_every_user_name_is_frozen_and_the_cut_is_over() {
        let user = |name: &str| json!({"action": "Freeze", "kind": "User", "namespace": "", "name": name, "uid": "", "why": ""});
        let verdict =
            |name: &str| json!({"target": user(name), "verdict": "Implied", "how": "", "at": "2026-03-01T00:00:02Z"});
        let plan = json!({"hash": "h", "freezes": [user("a"), user("b")], "targets": []});
        let freeze = json!({"verdicts": [verdict("a"), verdict("b")], "acted": "2026-03-01T00:00:01Z"});
        let exposure = json!({"at": "2026-03-01T00:00:00Z", "sessions": {"namespaces": ["apps"]}});
        let status = json!({"phase": "Revoked", "plan": plan, "freeze": freeze, "exposure": exposure});
        let with = |key: &str, value: Value| {
            let mut status = status.clone();
            status[key] = value;
            status
        };
        let lifted = json!({"verdicts": [], "acted": "2026-03-01T00:00:01Z", "lifted": "2026-03-02T00:00:00Z"});
        let one = json!({"verdicts": [verdict("a")], "acted": "2026-03-01T00:00:01Z"});
        for (what, sessions, status, expected) in [
            ("over, and frozen", "Evict", status.clone(), true),
            ("the policy reports", "Report", status.clone(), false),
            ("not over", "Evict", with("phase", json!("Released")), false),
            ("over, and not proved", "Evict", with("phase", json!("Failed")), true),
            ("cancelled", "Evict", with("phase", json!("Cancelled")), false),
            ("not frozen", "Evict", with("freeze", json!({"message": "not frozen"})), false),
            ("lifted", "Evict", with("freeze", lifted), false),
            ("a name is a colleague's by now", "Evict", with("freeze", one), false),
            ("nothing is known", "Evict", with("exposure", json!(null)), false),
            ("nowhere", "Evict", with("exposure", json!({"at": "2026-03-01T00:00:00Z"})), false),
        ] {
            assert_eq!(wanted(&policy(sessions), &cut(&status)).is_some(), expected, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_gives_way_for_a_moment_before_its_end_where_sessions_count() {
        let (exposures, cut) = (Exposures::default(), cut(&json!({"phase": "Released"})));
        let gives = |exposures: &Exposures, sessions| gives_way(exposures, &cut, Some(&policy(sessions)));
        assert!(!gives(&exposures, "Evict"), "nobody looks for it");
        assert_eq!(exposures.of(&cut), None);
        assert!(gives(&exposures, "Evict") && !gives(&exposures, "Report") && !gives_way(&exposures, &cut, None));
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(exposures.of(&cut), None);
        assert!(!gives(&exposures, "Evict"), "and not for ever");
    }

    #[test]
    fn pods_are_looked_for_where_a_right_is_of_and_where_it_is_of_all_where_anybody_consented() {
        let granted = || ["apps", "other", ""].map(str::to_owned).into();
        let places = |pods| Places { pods, ..Places::default() };
        let some = domain::rbac::Reach { namespaces: ["apps".to_owned()].into(), ..domain::rbac::Reach::default() };
        let named = domain::rbac::Reach { named: [(String::new(), "web-1".to_owned())].into(), ..some.clone() };
        assert_eq!(candidates(&places(some), granted()), ["apps"]);
        assert_eq!(candidates(&places(named), granted()), ["apps", "other"]);
    }
}
