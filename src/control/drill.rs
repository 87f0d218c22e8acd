//! The drill's report: read, compared with what control knows itself, measured, told as an Event and sealed. The drill is another
//! identity's: its word alone proves nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Resource;
use sha2::{Digest, Sha256};

use super::{Context, seal};
use crate::api::condition::Reason;
use crate::api::revocation::Target;
use crate::api::{Revocation, names};
use crate::kube::calls::{self, call};
use crate::kube::drill;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use domain::drill::DrillReport;

/// Shortest time between two reports that are sealed: who writes many fills no chain.
const APART: Duration = Duration::from_secs(30);

/// Follows the report of the drill, where the drill is installed; ends only with the process.
pub async fn keep(ctx: Arc<Context>) {
    if ctx.options.drill_namespace.is_none() {
        return futures::future::pending().await;
    }
    let begun = (ctx.clock)();
    let mut told = None;
    loop {
        let report = ctx.stores.drill().as_deref().and_then(drill::report);
        let fresh = report.filter(|report| told.as_ref() != Some(&report.run));
        if fresh.is_none() && told.is_none() {
            ctx.metrics.drill(names::DRILL, None);
        }
        match fresh {
            Some(report) => {
                let run = report.run.clone();
                match tell(&ctx, report, begun).await {
                    Ok(()) => told = Some(run),
                    Err(fault) => tracing::warn!(%fault, "the report of the drill is not sealed yet; tried again"),
                }
                tokio::time::sleep(APART).await;
            }
            None => ctx.drill.notified().await,
        }
    }
}

/// Tells of one report.
///
/// # Flow          its Revocation, read live; believed as far as that shows it; measured; sealed; an Event, if it is news
/// # Guarantees    sealed twice is sealed once; what only the drill says is not called a pass
/// # Errors        transient: the same report is told again
async fn tell(ctx: &Context, report: DrillReport, begun: Timestamp) -> Result<(), Fault> {
    let revocation = match &report.revocation {
        Some(name) => {
            let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
            call("read the Revocation of the drill", api.get_opt(name)).await?
        }
        None => None,
    };
    let revoked = drill::revoked(&report, revocation.as_ref());
    let report = report.believed(revoked);
    ctx.metrics.drill(names::DRILL, Some(&report));
    seal::seal_drill(ctx, label(&report), &report, ctx.stores.people.get(names::DRILL).as_deref()).await?;
    let policy = ctx.stores.policies.get(names::DRILL).filter(|_| report.ended >= begun);
    if let Some(on) = policy.map(|policy| policy.object_ref(&())) {
        match (report.failed, report.took()) {
            (Some(short), _) => {
                let note = format!("drill {}: {}: {}", report.run, short.as_str(), report.message);
                calls::publish_warning(&ctx.client, "control", on, Reason::DrillFailed, note, (ctx.clock)()).await;
            }
            (None, took) => {
                let took = took.unwrap_or_default().as_secs_f64();
                let note = format!("drill {}: refused {took:.1} seconds after the file said so", report.run);
                calls::publish_event(&ctx.client, "control", on, Reason::DrillPassed, note, (ctx.clock)()).await;
            }
        }
    }
    Ok(())
}

/// What takes the place of a Revocation's uid among the labels of the record.
fn label(report: &DrillReport) -> String {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(report.run.as_bytes()));
    format!("drill-{}", digest.chars().take(16).collect::<String>())
}

/// Whether this Revocation acts on nothing but what the drill made: every object lies in its sandbox, and no user name is frozen but
/// the one that is nobody's. Such a one counts against no limit, and no limit holds it: it ends nobody's access.
pub fn rehearses(revocation: &Revocation, namespace: &str, sandbox: Option<&str>) -> bool {
    let (Some(sandbox), Some(plan)) = (sandbox, revocation.status.as_ref().and_then(|status| status.plan.as_ref()))
    else {
        return false;
    };
    let here = |target: &Target| target.namespace == sandbox;
    !plan.targets.is_empty()
        && plan.targets.iter().all(here)
        && plan.freezes.iter().all(|frozen| frozen.name == names::drill_user(namespace))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_acts_on_the_sandbox_alone_rehearses() {
        let of = |namespaces: &[&str], frozen: &[&str]| -> Revocation {
            let target = |kind: &str, namespace: &str, name: &str| {
                json!({"action": "Recreate", "kind": kind,
                "namespace": namespace, "name": name, "uid": "u", "why": "marked"})
            };
            let targets: Vec<_> = namespaces.iter().map(|one| target("ServiceAccount", one, "a")).collect();
            let freezes: Vec<_> = frozen.iter().map(|one| target("User", "", one)).collect();
            serde_json::from_value(json!({
                "metadata": {"name": "r"},
                "spec": {"person": "p", "personUid": "u", "policy": "everyone", "trigger": "Termination",
                    "operation": "Cut", "due": "2026-03-01T00:00:00Z", "reason": "left"},
                "status": {"plan": {"hash": "h", "targets": targets, "freezes": freezes}},
            }))
            .unwrap()
        };
        let (here, user) = (Some("sandbox"), names::drill_user("rollcall"));
        let user = user.as_str();
        for (what, revocation, sandbox, expected) in [
            ("the drill's", of(&["sandbox", "sandbox"], &[user]), here, true),
            ("one object elsewhere", of(&["sandbox", "apps"], &[user]), here, false),
            ("one of the whole cluster", of(&["sandbox", ""], &[user]), here, false),
            ("a user name that may be somebody's", of(&["sandbox"], &[user, "oidc:ada@example.com"]), here, false),
            ("that of another installation", of(&["sandbox"], &[&names::drill_user("other")]), here, false),
            ("nothing at all", of(&[], &[]), here, false),
            ("no drill is installed", of(&["sandbox"], &[user]), None, false),
        ] {
            assert_eq!(rehearses(&revocation, "rollcall", sandbox), expected, "{what}");
        }
        let mut bare = of(&["sandbox"], &[]);
        bare.status = None;
        assert!(!rehearses(&bare, "rollcall", here), "not planned yet");
    }
}
