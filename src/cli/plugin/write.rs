//! Writes what a human decided over the very object that they were shown, for as long as what they saw still stands.

use kube::api::{Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Failure, ask};
use crate::kube::named::Api;

/// How often it is written again over an object that changed in what was not shown.
const TRIES: u32 = 8;

/// Writes a part of a spec over an object that was shown.
///
/// Rollcall's own identities write the status of busy objects many times a minute, and each write makes another version: that alone
/// refuses no decision.
///
/// # Flow          patch with the version that was read; where that is no longer the newest, read again, compare, and try again
/// # Guarantees    nothing is written over another object of the same name, over a changed spec, or where `still` says that what was
///                 shown is no longer so
/// # Errors        what has changed; whatever the API server says, in its words
pub(super) async fn write_over<K>(
    api: &Api<K>,
    shown: &K,
    doing: &'static str,
    spec: &Value,
    still: impl Fn(&K) -> bool,
) -> Result<(), Failure>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let name = shown.name_any();
    let mut version = shown.resource_version();
    for _ in 0..TRIES {
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": spec}));
        match ask(doing, api.patch(&name, &PatchParams::default(), &patch)).await {
            Err(Failure::Server { code: 409, .. }) => {}
            other => return other.map(drop),
        }
        let read = ask("read it again", api.get(&name)).await?;
        let same = read.uid() == shown.uid() && read.meta().generation == shown.meta().generation;
        if !same || !still(&read) {
            return Err(Failure::Refused(format!(
                "{name} has changed since it was shown: nothing was written. Run this again"
            )));
        }
        version = read.resource_version();
    }
    Err(Failure::Refused(format!("{name} keeps changing: nothing was written. Run this again")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Person;
    use crate::kube::scenario::{Scenario, on};

    const PERSON: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/people/p-1";

    fn person(uid: &str, version: &str, generation: i64, state: &str) -> Value {
        json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
            "metadata": {"name": "p-1", "namespace": "rollcall", "uid": uid, "resourceVersion": version, "generation": generation},
            "spec": {"records": [{"connection": "hq", "id": "1"}]}, "status": {"aliases": [state]}})
    }

    #[tokio::test]
    async fn a_decision_is_written_over_what_was_shown_whatever_else_is_written_meanwhile() {
        let spec = json!({"apart": []});
        let of = |version: &str| {
            on(&format!("PATCH {PERSON}")).sends(json!({"metadata": {"resourceVersion": version}, "spec": spec}))
        };
        let then =
            |read: Value| Scenario::default().then(of("1").fails(409)).then(on(&format!("GET {PERSON}")).answers(read));
        let done = || person("u-1", "9", 1, "a");
        for (situation, scenario, written) in [
            ("at once", Scenario::default().then(of("1").answers(done())), true),
            ("a condition was written", then(person("u-1", "2", 1, "a")).then(of("2").answers(done())), true),
            ("another spec", then(person("u-1", "2", 2, "a")), false),
            ("something else that was shown", then(person("u-1", "2", 1, "b")), false),
            ("another of the same name", then(person("u-2", "2", 1, "a")), false),
            ("refused", Scenario::default().then(of("1").fails(403)), false),
        ] {
            let shown: Person = serde_json::from_value(person("u-1", "1", 1, "a")).unwrap();
            let aliases = |person: &Person| person.status.as_ref().map(|status| status.aliases.clone());
            let still = |read: &Person| aliases(read) == aliases(&shown);
            let api = Api::namespaced(scenario.client(), "rollcall");
            let ended = write_over(&api, &shown, "write the Person", &spec, still).await;
            assert_eq!(ended.is_ok(), written, "{situation}: {ended:?}");
            scenario.is_over();
        }
    }
}
