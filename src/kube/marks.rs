//! The memory of marks as it is kept: sixteen ConfigMaps, which control writes and `kubectl rollcall plan` reads too.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Client, ResourceExt};

use super::inventory::list_each;
use super::outcome::Fault;
use crate::api::revocation::Trigger;
use crate::api::{Revocation, names};
use crate::kube::named::Api;
use domain::marks::Memory;

/// What the names of these ConfigMaps begin with.
const PREFIX: &str = "rollcall-owners-";
/// Value of their label `rollcall.dev/part`.
pub const PART: &str = "owners";
/// Key of a shelf's JSON in its ConfigMap.
pub const KEY: &str = "owners.json";

/// How long after the cut of a termination its accounts are handed over, and not shed: so long nobody is back at work as a rule.
const HANDED_OVER: SignedDuration = SignedDuration::from_hours(72);

/// Uids of the accounts that cuts of terminations made again, and until when their marks are rightly moved. What was made again for
/// another reason is in use by the same person, who may shed it like any other.
#[must_use]
pub fn excused<'a>(revocations: impl Iterator<Item = &'a Revocation>) -> BTreeMap<String, Timestamp> {
    let ended = revocations.filter(|revocation| revocation.spec.trigger == Trigger::Termination);
    let made = ended.filter_map(|revocation| revocation.status.as_ref()).flat_map(|status| {
        let until = status.acted.and_then(|acted| acted.checked_add(HANDED_OVER).ok());
        status.steps.iter().filter_map(move |step| Some((step.new_uid.clone()?, until?)))
    });
    made.collect()
}

/// Name of the ConfigMap of a shelf.
#[must_use]
pub fn name(letter: char) -> String {
    format!("{PREFIX}{letter}")
}

/// The shelf that a ConfigMap holds, as text.
#[must_use]
pub fn text(map: &ConfigMap) -> &str {
    map.data.as_ref().and_then(|data| data.get(KEY)).map(String::as_str).unwrap_or_default()
}

/// Reads all shelves, live.
///
/// # Errors
/// When they may not be listed, or the API server does not answer.
pub async fn read(client: &Client, namespace: &str) -> Result<Memory, Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&format!("{}={PART}", names::PART));
    let maps = list_each(&api, &params, Some).await?;
    let shelves = maps.iter().filter_map(|map| {
        let letter = map.name_any().strip_prefix(PREFIX)?.chars().next()?;
        Some((letter, text(map)))
    });
    Ok(Memory::read(shelves))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_cut_of_a_termination_made_again_is_handed_over_for_some_days() {
        let cut = |trigger: &str, uid: &str| -> Revocation {
            let at = "2026-03-01T00:00:00Z";
            let target = json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "ci", "uid": "u", "why": ""});
            serde_json::from_value(json!({
                "metadata": {"name": "p-7-cut"},
                "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": trigger, "operation": "Cut",
                    "due": at, "reason": "left"},
                "status": {"acted": at, "steps": [{"target": target, "outcome": "Done", "newUid": uid, "at": at}]},
            }))
            .unwrap()
        };
        let cuts = [cut("Termination", "left"), cut("AdHoc", "lost-laptop"), cut("Leave", "leave")];
        let expected = BTreeMap::from([("left".to_owned(), "2026-03-04T00:00:00Z".parse().unwrap())]);
        assert_eq!(excused(cuts.iter()), expected);
    }
}
