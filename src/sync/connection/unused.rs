//! A trusted response that no policy has used: the process ended between the two, and what was read went with it.

use kube::ResourceExt;
use kube::api::ListParams;

use super::poll;
use crate::api::condition::Reason;
use crate::api::{HRConnection, SyncPolicy};
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::sync::Context;

/// Whether the source is to be read again although it is not time: otherwise the people of a response that was trusted just
/// before a crash would wait for the next poll, leavers among them.
///
/// # Errors
/// When the policies cannot be listed.
pub async fn is_there(connection: &HRConnection, ctx: &Context) -> Result<bool, Fault> {
    if !trusted_last(connection) || ctx.snapshots.of(connection).is_some() {
        return Ok(false);
    }
    let api: Api<SyncPolicy> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let policies = call("list the policies", api.list(&ListParams::default())).await?;
    Ok(policies.items.iter().any(|policy| waits(policy, connection)))
}

/// Whether the newest attempt was trusted. One that was held or failed since is not repeated: that would ask the source
/// without end.
fn trusted_last(connection: &HRConnection) -> bool {
    let status = poll::current_status(connection);
    status.last_attempt.is_some_and(|attempt| attempt.outcome == Reason::Trusted.as_str())
        && status.last_trusted.is_some()
}

/// Whether a policy over this connection shows another response than the one that was trusted last.
fn waits(policy: &SyncPolicy, connection: &HRConnection) -> bool {
    let trusted = poll::current_status(connection).last_trusted.map(|trusted| trusted.response);
    let over = policy.spec.connections.iter().any(|named| named.name == connection.name_any());
    let taken_over = policy.status.iter().flat_map(|status| &status.connections);
    let shown =
        taken_over.filter(|taken| taken.name == connection.name_any()).find_map(|taken| taken.response.as_ref());
    over && shown != trusted.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::policy::TakenOver;
    use serde_json::json;

    fn connection(outcome: &str, answer: &str) -> HRConnection {
        let at = "2026-03-02T00:00:00Z";
        serde_json::from_value(json!({
            "metadata": {"name": "hq"},
            "spec": {"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}},
            "status": {"lastAttempt": {"time": at, "outcome": outcome},
                       "lastTrusted": {"time": at, "response": answer, "employees": 3, "highWater": 3, "statuses": {}, "source": "s"}},
        }))
        .unwrap()
    }

    fn policy(over: &str, answer: Option<&str>) -> SyncPolicy {
        let mut policy: SyncPolicy = serde_json::from_value(json!({
            "metadata": {"name": "everyone"},
            "spec": {"connections": [{"name": over}], "timeZones": {"default": "Europe/Madrid"}},
        }))
        .unwrap();
        let taken_over = TakenOver { name: over.to_owned(), response: answer.map(str::to_owned), baseline: None };
        policy.status.get_or_insert_default().connections = vec![taken_over];
        policy
    }

    #[test]
    fn a_trusted_response_that_no_policy_shows_is_read_again_and_no_other() {
        for (what, outcome, over, shown, expected) in [
            ("the process ended in between", "Trusted", "hq", Some("a"), true),
            ("no response was ever used", "Trusted", "hq", None, true),
            ("it was used", "Trusted", "hq", Some("b"), false),
            ("of another connection", "Trusted", "plant", Some("a"), false),
            ("a later attempt was held", "Shrunk", "hq", Some("a"), false),
        ] {
            let connection = connection(outcome, "b");
            assert_eq!(trusted_last(&connection) && waits(&policy(over, shown), &connection), expected, "{what}");
        }
    }
}
