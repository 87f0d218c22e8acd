//! The edge of a policy: its spec read once, and refused with the field that cannot be followed.

use std::collections::BTreeMap;

use crate::api::quantity::{self, Unreadable};
use crate::api::{SyncPolicy, policy};
use crate::kube::outcome::Fault;
use crate::kube::usernames::Usernames;
use crate::sync::convert;
use domain::lifecycle::Terms;
use domain::moves::MoveTerms;
use domain::profile::Modes;
use domain::roster::{Matching, Migration, Role, Rules};
use domain::scope::Scope;
use domain::timezone::{DayEnd, Zones};

/// What a policy says, readable.
#[derive(Debug)]
pub struct Settings {
    /// Names of its connections.
    pub connections: Vec<String>,
    /// Those of them that only tell more of people who are known.
    pub corroborating: Vec<String>,
    /// Connections with accounts and no employments that say who has left all the same, with for how many days an account must be off.
    pub off_days: Vec<(String, i32)>,
    /// Connections whose place one of the policy's took, and which that is.
    pub migrations: Vec<Migration>,
    /// By what records of one human are matched.
    pub matching: Matching,
    /// What it says of ends and gaps.
    pub terms: Terms,
    /// When a last day of work is over.
    pub day_end: DayEnd,
    /// Connections that say for other policies who works here.
    pub elsewhere: Vec<String>,
    /// Only who owns something gets a Person.
    pub holders_only: bool,
    /// Which people it manages.
    pub scope: Scope,
    /// Its time zones.
    pub zones: Zones,
    /// Its user names.
    pub usernames: Usernames,
    /// What becomes of the fields of people.
    pub fields: Modes,
    /// What it says of moves.
    pub moves: MoveTerms,
}

impl Settings {
    /// What the policy says of a connection.
    #[must_use]
    pub fn role(&self, connection: &str) -> Role {
        let is = |name: &String| name == connection;
        let replaced = || self.migrations.iter().any(|one| is(&one.from));
        match (self.connections.iter().any(is), self.corroborating.iter().any(is)) {
            (true, true) => Role::Corroborating,
            (true, false) => Role::Employment,
            (false, _) if replaced() => Role::Replaced,
            (false, _) => Role::Unread,
        }
    }

    /// For how many days an account of a connection must be off before its person has left.
    #[must_use]
    pub fn off_days(&self, connection: &str) -> Option<i32> {
        self.off_days.iter().find(|(name, _)| name == connection).map(|(_, days)| *days)
    }

    /// The place of a connection in the policy's order; what it does not read comes last.
    #[must_use]
    pub fn rank(&self, connection: &str) -> usize {
        self.connections.iter().position(|name| name == connection).unwrap_or(usize::MAX)
    }

    /// What the roster follows of the policy, of this name: nothing of other policies, owners, runs and baselines.
    #[must_use]
    pub fn rules<'a>(&'a self, namespace: &'a str, policy: &'a str) -> Rules<'a> {
        Rules {
            role: Box::new(|connection| self.role(connection)),
            rank: Box::new(|connection| self.rank(connection)),
            migrations: &self.migrations,
            matching: &self.matching,
            terms: self.terms,
            off_days: Box::new(|connection| self.off_days(connection)),
            day_end: self.day_end,
            usernames: Box::new(|connection, employee| self.usernames.of(connection, employee)),
            fields: &self.fields,
            moves: &self.moves,
            scope: &self.scope,
            ..Rules::of(namespace, policy, &self.zones)
        }
    }

    /// Reads a policy. `all` are the policies of the namespace.
    ///
    /// # Errors
    /// Stalled, with the field.
    pub fn of(policy: &SyncPolicy, all: &[SyncPolicy]) -> Result<Self, Fault> {
        let spec = &policy.spec;
        let connections = connections(policy)?;
        let zones = Zones::new(&spec.time_zones.default, &spec.time_zones.by_location);
        let zones = zones.map_err(|unknown| Fault::Stalled(format!("spec.{unknown}")))?;
        let scope = convert::scope(&spec.scope);
        let scope = scope.map_err(|refused| Fault::Stalled(format!("spec.scope.expression: {refused}")))?;
        let usernames = Usernames::compile(&spec.identity.usernames)?;
        let stalled = |unreadable: Unreadable| Fault::Stalled(unreadable.to_string());
        let terms = convert::terms(&spec.lifecycle).map_err(stalled)?;
        let day_end = convert::day_end(&spec.lifecycle.termination).map_err(stalled)?;
        let fields = Modes::new(&spec.fields).map_err(|refused| Fault::Stalled(format!("spec.{refused}")))?;
        let moves = convert::move_terms(policy, &fields).map_err(stalled)?;
        Ok(Self { moves, ..Self::new(policy, all, connections, (scope, zones, usernames, fields), (terms, day_end)) })
    }

    /// What stands in for a spec that cannot be followed, while no answer is taken over: last days that were announced,
    /// and leavers who are known, need nothing of it, since each Person has its zone and whether it is in scope. None
    /// where it has no connection.
    #[must_use]
    pub fn previous(policy: &SyncPolicy, all: &[SyncPolicy]) -> Option<Self> {
        let spec = &policy.spec;
        let connections = connections(policy).ok()?;
        let zones = Zones::new(&spec.time_zones.default, &spec.time_zones.by_location);
        let zones = zones.or_else(|_| Zones::new("UTC", &BTreeMap::new())).ok()?;
        let scope = convert::scope(&spec.scope).or_else(|_| convert::scope(&policy::Scope::default())).ok()?;
        let usernames = Usernames::compile(&[]).ok()?;
        let terms = convert::terms(&spec.lifecycle).unwrap_or_default();
        let day_end = convert::day_end(&spec.lifecycle.termination).unwrap_or_default();
        let fields = Modes::new(&spec.fields).ok().or_else(|| fields_in_force(policy)).unwrap_or_default();
        Some(Self::new(policy, all, connections, (scope, zones, usernames, fields), (terms, day_end)))
    }

    fn new(
        policy: &SyncPolicy,
        all: &[SyncPolicy],
        connections: Vec<String>,
        (scope, zones, usernames, fields): (Scope, Zones, Usernames, Modes),
        (terms, day_end): (Terms, DayEnd),
    ) -> Self {
        let of = &policy.spec.connections;
        let corroborating = of.iter().filter(|one| !one.employs());
        // The schema takes nothing that cannot be read.
        let days = |says: &policy::SaysWhoLeft| quantity::off_days("saysWhoLeft.whenOffFor", &says.when_off_for).ok();
        let off_days = of.iter().filter_map(|one| Some((one.name.clone(), days(one.says_who_left.as_ref()?)?)));
        let migrations = of.iter().filter_map(|one| {
            let policy::Migration { from, same_ids } = one.migrates.clone()?;
            Some(Migration { from, by: one.name.clone(), same_ids })
        });
        Self {
            corroborating: corroborating.map(|one| one.name.clone()).collect(),
            off_days: off_days.collect(),
            migrations: migrations.collect(),
            matching: convert::matching(&policy.spec.matching),
            terms,
            day_end,
            holders_only: policy.spec.materialize == policy::Materialize::CredentialHolders,
            elsewhere: elsewhere(policy, all),
            connections,
            scope,
            zones,
            usernames,
            fields,
            moves: MoveTerms::default(),
        }
    }
}

/// The modes that the policy's last pass followed; none before the first.
#[must_use]
pub fn fields_in_force(policy: &SyncPolicy) -> Option<Modes> {
    let fields = policy.status.as_ref().and_then(|status| status.fields.as_ref());
    fields.map(|fields| Modes::from_written(&fields.in_force))
}

fn connections(policy: &SyncPolicy) -> Result<Vec<String>, Fault> {
    let connections: Vec<_> = policy.spec.connections.iter().map(|connection| connection.name.clone()).collect();
    if connections.is_empty() {
        return Err(Fault::Stalled("spec.connections: name one".to_owned()));
    }
    Ok(connections)
}

fn elsewhere(policy: &SyncPolicy, all: &[SyncPolicy]) -> Vec<String> {
    let others = all.iter().filter(|other| other.metadata.name != policy.metadata.name);
    others.flat_map(|other| other.spec.employers()).map(str::to_owned).collect()
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
        let zones = with("timeZones", serde_json::json!({"default": "Europe/Atlantis"}));
        let loops = with("scope", serde_json::json!({"expression": "[1].all(x, true)"}));
        let names = with("identity", serde_json::json!({"usernames": ["'oidc:' + person.workEmail", "person."]}));
        let fields = with("fields", serde_json::json!({"startDate": "Never"}));
        let cases = [
            ("plain", &everyone, vec![], None),
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
    fn a_connection_of_accounts_that_says_who_left_is_one_of_employments_with_its_days() {
        let says = |more: serde_json::Value| {
            let mut okta = serde_json::json!({"name": "okta", "role": "Corroborating"});
            okta.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let policy = with("connections", serde_json::json!([okta]));
            let settings = Settings::of(&policy, &[]).unwrap();
            let employers: Vec<_> = policy.spec.employers().map(str::to_owned).collect();
            (settings.role("okta"), settings.off_days("okta"), employers.len())
        };
        let asked = serde_json::json!({"saysWhoLeft": {"whenOffFor": "30d"}});
        assert_eq!(says(asked), (Role::Employment, Some(30), 1));
        assert_eq!(says(serde_json::json!({})), (Role::Corroborating, None, 0));
    }

    #[test]
    fn what_can_be_followed_of_a_spec_stands_in_for_the_rest() {
        let everyone = policy("everyone", "2026-01-02T00:00:00Z", &plain());
        let zones = with("timeZones", serde_json::json!({"default": "Europe/Atlantis"}));
        let loops = with("scope", serde_json::json!({"expression": "[1].all(x, true)"}));
        let names = with("identity", serde_json::json!({"usernames": ["person."]}));
        for policy in [&everyone, &zones, &loops, &names] {
            let settings = Settings::previous(policy, &[]).expect("stands");
            assert_eq!(settings.connections, ["hq"]);
        }
        assert_eq!(Settings::previous(&zones, &[]).expect("stands").zones.default_zone().name(), "UTC");
    }
}
