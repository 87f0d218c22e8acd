//! The edge of a policy: its spec read once, and refused with the field that cannot be followed.

use std::collections::BTreeMap;

use crate::api::{SyncPolicy, policy};
use crate::kube::outcome::Fault;
use crate::sync::convert;
use crate::sync::usernames::Usernames;
use domain::profile::Modes;
use domain::scope::Scope;
use domain::timezone::Zones;

/// What a policy says, readable.
#[derive(Debug)]
pub struct Settings {
    /// Names of its connections.
    pub connections: Vec<String>,
    /// Connections that other policies read.
    pub elsewhere: Vec<String>,
    /// Which people it manages.
    pub scope: Scope,
    /// Its time zones.
    pub zones: Zones,
    /// Its user names.
    pub usernames: Usernames,
    /// What becomes of the fields of people.
    pub fields: Modes,
}

impl Settings {
    /// Reads a policy. `all` are the policies of the namespace: of two over one connection the older is followed.
    ///
    /// # Errors
    /// Stalled, with the field.
    pub fn of(policy: &SyncPolicy, all: &[SyncPolicy]) -> Result<Self, Fault> {
        let spec = &policy.spec;
        let connections = connections(policy, all)?;
        let zones = Zones::new(&spec.time_zones.default, &spec.time_zones.by_location);
        let zones = zones.map_err(|unknown| Fault::Stalled(format!("spec.{unknown}")))?;
        let scope = convert::scope(&spec.scope);
        let scope = scope.map_err(|refused| Fault::Stalled(format!("spec.scope.expression: {refused}")))?;
        let usernames = Usernames::compile(&spec.identity.usernames)?;
        let fields = Modes::new(&spec.fields).map_err(|refused| Fault::Stalled(format!("spec.{refused}")))?;
        Ok(Self { connections, elsewhere: elsewhere(policy, all), scope, zones, usernames, fields })
    }

    /// What stands in for a spec that cannot be followed, while no answer is taken over: last days that were announced,
    /// and leavers who are known, need nothing of it, since each Person has its zone and whether it is in scope. None
    /// where a connection is another policy's.
    #[must_use]
    pub fn previous(policy: &SyncPolicy, all: &[SyncPolicy]) -> Option<Self> {
        let spec = &policy.spec;
        let connections = connections(policy, all).ok()?;
        let zones = Zones::new(&spec.time_zones.default, &spec.time_zones.by_location);
        let zones = zones.or_else(|_| Zones::new("UTC", &BTreeMap::new())).ok()?;
        let scope = convert::scope(&spec.scope).or_else(|_| convert::scope(&policy::Scope::default())).ok()?;
        let usernames = Usernames::compile(&[]).ok()?;
        let fields = Modes::new(&spec.fields).ok().or_else(|| fields_in_force(policy)).unwrap_or_default();
        Some(Self { connections, elsewhere: elsewhere(policy, all), scope, zones, usernames, fields })
    }
}

/// The modes that the policy's last pass followed; none before the first.
#[must_use]
pub fn fields_in_force(policy: &SyncPolicy) -> Option<Modes> {
    let fields = policy.status.as_ref().and_then(|status| status.fields.as_ref());
    fields.map(|fields| Modes::from_written(&fields.in_force))
}

/// The connections of a policy, if no older policy is over any of them.
fn connections(policy: &SyncPolicy, all: &[SyncPolicy]) -> Result<Vec<String>, Fault> {
    let connections: Vec<_> = policy.spec.connections.iter().map(|connection| connection.name.clone()).collect();
    if connections.is_empty() {
        return Err(Fault::Stalled("spec.connections: name one".to_owned()));
    }
    for connection in &connections {
        if let Some(older) = all.iter().find(|other| rules(other, connection) && age(other) < age(policy)) {
            let name = older.metadata.name.as_deref().unwrap_or_default();
            return Err(Fault::Stalled(format!(
                "spec.connections: the older policy {name} is over {connection} already; delete one of the two"
            )));
        }
    }
    Ok(connections)
}

fn elsewhere(policy: &SyncPolicy, all: &[SyncPolicy]) -> Vec<String> {
    let others = all.iter().filter(|other| other.metadata.name != policy.metadata.name);
    others.flat_map(|other| &other.spec.connections).map(|connection| connection.name.clone()).collect()
}

fn rules(policy: &SyncPolicy, connection: &str) -> bool {
    policy.spec.connections.iter().any(|named| named.name == connection)
}

/// What makes a policy older: when it was made, then its name.
fn age(policy: &SyncPolicy) -> (Option<jiff::Timestamp>, Option<&str>) {
    (policy.metadata.creation_timestamp.as_ref().map(|time| time.0), policy.metadata.name.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, made: &str, spec: &serde_json::Value) -> SyncPolicy {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy",
            "metadata": {"name": name, "creationTimestamp": made}, "spec": spec,
        }))
        .unwrap()
    }

    fn plain() -> serde_json::Value {
        serde_json::json!({"connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"}})
    }

    fn with(field: &str, value: serde_json::Value) -> SyncPolicy {
        let mut spec = plain();
        spec[field] = value;
        policy("everyone", "2026-01-02T00:00:00Z", &spec)
    }

    #[test]
    fn a_spec_that_cannot_be_followed_names_its_field() {
        let everyone = policy("everyone", "2026-01-02T00:00:00Z", &plain());
        let older = policy("zeal", "2026-01-01T00:00:00Z", &plain());
        let twin = policy("all", "2026-01-02T00:00:00Z", &plain());
        let younger = policy("all", "2026-01-03T00:00:00Z", &plain());
        let zones = with("timeZones", serde_json::json!({"default": "Europe/Atlantis"}));
        let loops = with("scope", serde_json::json!({"expression": "[1].all(x, true)"}));
        let names = with("identity", serde_json::json!({"usernames": ["'oidc:' + person.workEmail", "person."]}));
        let fields = with("fields", serde_json::json!({"startDate": "Never"}));
        let cases = [
            ("plain", &everyone, vec![], None),
            ("a younger one", &everyone, vec![younger], None),
            (
                "an older one",
                &everyone,
                vec![older],
                Some("spec.connections: the older policy zeal is over hq already; delete one of the two"),
            ),
            (
                "of the same age, by name",
                &everyone,
                vec![twin],
                Some("spec.connections: the older policy all is over hq already; delete one of the two"),
            ),
            (
                "a zone",
                &zones,
                vec![],
                Some("spec.timeZones.default: \"Europe/Atlantis\" is no IANA time zone such as Europe/Madrid"),
            ),
            (
                "an expression of the scope",
                &loops,
                vec![],
                Some("spec.scope.expression: all, exists, exists_one, filter and map are not allowed here"),
            ),
            (
                "a field that decides",
                &fields,
                vec![],
                Some(
                    "spec.fields.startDate: state, dates, ids and the work address decide whose access ends and when: they are always Continuous",
                ),
            ),
            (
                "an expression",
                &names,
                vec![],
                Some(
                    "spec.identity.usernames[1]: not a CEL expression such as 'oidc:' + person.workEmail, or person.department == 'Sales'",
                ),
            ),
        ];
        for (what, policy, mut all, expected) in cases {
            all.push(policy.clone());
            let fault = Settings::of(policy, &all).err().map(|fault| fault.to_string());
            assert_eq!(fault.as_deref(), expected, "{what}");
        }
    }

    #[test]
    fn what_can_be_followed_of_a_spec_stands_in_for_the_rest_and_never_for_a_policy_that_is_not_asked() {
        let everyone = policy("everyone", "2026-01-02T00:00:00Z", &plain());
        let older = policy("zeal", "2026-01-01T00:00:00Z", &plain());
        let zones = with("timeZones", serde_json::json!({"default": "Europe/Atlantis"}));
        let loops = with("scope", serde_json::json!({"expression": "[1].all(x, true)"}));
        let names = with("identity", serde_json::json!({"usernames": ["person."]}));
        for policy in [&everyone, &zones, &loops, &names] {
            let settings = Settings::previous(policy, &[]).expect("stands");
            assert_eq!(settings.connections, ["hq"]);
        }
        assert_eq!(Settings::previous(&zones, &[]).expect("stands").zones.default_zone().name(), "UTC");
        assert!(Settings::previous(&zones, &[older]).is_none(), "the older policy goes on");
    }
}
