//! What a baseline is made of, as the policy's status remembers it: mode, source and policy.
//!
//! What may change without the leavers of everybody needing approval is not in it: limits, what is protected, time zones,
//! and how and how often a source is read. Taken apart field by field, so that a new field is decided on.

use std::collections::BTreeSet;

use crate::api::policy::{
    Connection, ContractEnd, Identity, Leave, Lifecycle, MatchKey, Matching, Mode, Role, Scope, ScopeLists,
    SyncPolicySpec, Termination,
};
use crate::api::quantity;
use domain::canonical::{Canonical, folded};
use domain::roster::Baseline;

/// Raised when a line of the form means something else than before. Every policy then takes a new baseline.
const VERSION: u32 = 1;
/// Hex digits of each digest in a fingerprint.
const DIGITS: usize = 24;

/// One part of what a baseline is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// It is this.
    Is(String),
    /// There is nothing now that it could be: the connection is gone, or the spec cannot be followed. What was settled
    /// stands, so that announced last days and known leavers do not wait for somebody to correct it.
    Stands,
    /// It cannot be told yet.
    NotKnown,
}

/// What a baseline would be made of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    mode: Mode,
    source: Digest,
    policy: Digest,
}

impl Fingerprint {
    /// Of a policy over a source; `followed` says whether the spec can be.
    #[must_use]
    pub fn of(spec: &SyncPolicySpec, followed: bool, source: Digest) -> Self {
        let policy = if followed { Digest::Is(short(&form(spec))) } else { Digest::Stands };
        Self { mode: spec.mode, source, policy }
    }

    /// As it is remembered; none where something of it cannot be told.
    #[must_use]
    pub fn written(&self) -> Option<String> {
        match (&self.source, &self.policy) {
            (Digest::Is(source), Digest::Is(policy)) => {
                Some(format!("{VERSION}.{}.{source}.{policy}", word(self.mode)))
            }
            _ => None,
        }
    }

    /// What the settled baseline is worth. `called_settled` says whether the policy calls it settled still: one that was
    /// awaited already is not made good by a spec that cannot be followed.
    #[must_use]
    pub fn baseline(&self, settled: Option<&str>, called_settled: bool, answered: bool) -> Baseline {
        let written = self.written();
        let fits = settled.filter(|settled| self.fits(settled, called_settled));
        Baseline::of(settled, fits.or(written.as_deref()), answered)
    }

    fn fits(&self, settled: &str, called_settled: bool) -> bool {
        let [version, mode, source, policy] = settled.split('.').collect::<Vec<_>>()[..] else { return false };
        let same = |part: &Digest, settled: &str| match part {
            Digest::Is(now) => now == settled,
            Digest::Stands => called_settled,
            Digest::NotKnown => false,
        };
        version == VERSION.to_string()
            && mode == word(self.mode)
            && same(&self.source, source)
            && same(&self.policy, policy)
    }
}

/// The source of exactly one connection: one that was deleted and applied again is another, whose leavers need approval.
#[must_use]
pub fn source(connection_uid: &str, fingerprint: &str) -> Digest {
    let mut form = Canonical::new("connection", VERSION);
    form.fact("uid", connection_uid);
    form.fact("source", fingerprint);
    Digest::Is(short(&form))
}

fn short(form: &Canonical) -> String {
    let mut digest = form.digest();
    digest.truncate(DIGITS);
    digest
}

const fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

fn form(spec: &SyncPolicySpec) -> Canonical {
    let SyncPolicySpec {
        connections, // of each its source is a part of its own
        matching,
        materialize: _, // who has left before it is changed is first seen by it, and needs approval
        max_people: _,
        scope,
        identity,
        lifecycle,
        mode: _, // a part of its own
        time_zones: _,
        limits: _,
        protected: _,
        retention: _,
        fields: _,     // what is kept for showing
        approval: _,   // who says yes to what is held
        handover: _,   // to whom something goes ends nobody's access
        revocation: _, // Secrets and pods that a plan acts on are in its hash; hooks end nobody's access to the cluster
        grants: _,     // who is given something; who has left is given nothing
    } = spec;
    let mut form = Canonical::new("policy", VERSION);
    let Scope { include, exclude, expression } = scope;
    form.part("include", |form| lists(include, form));
    form.part("exclude", |form| lists(exclude, form));
    form.perhaps("expression", expression.as_deref().map(str::trim));
    // By the sources of ownership nothing is decided.
    let Identity { usernames, ownership: _ } = identity;
    form.each("username", usernames.iter().map(|expression| expression.trim()));
    let Lifecycle {
        termination: Termination { remove_after, effective: _ },
        bridge_gap,
        contract_end,
        leave,
        moves: _,
    } = lifecycle; // no move ends any access
    let seconds = quantity::duration("removeAfter", remove_after).map(|after| after.as_secs().to_string());
    form.fact("remove after seconds", seconds.as_deref().unwrap_or(remove_after));
    form.perhaps("bridge gap", Some(bridge_gap.trim()).filter(|gap| *gap != Lifecycle::default().bridge_gap));
    form.perhaps("contract end", (*contract_end == ContractEnd::Terminate).then_some("terminates"));
    let acts = match leave {
        Leave::Keep => None,
        Leave::Freeze => Some("freezes"),
        Leave::Cut => Some("cuts"),
    };
    form.perhaps("leave", acts);
    matched(matching, connections, &mut form);
    form
}

/// Whose a record is, and what it says: nothing where nothing is matched and every connection says who has left.
fn matched(matching: &Matching, connections: &[Connection], form: &mut Canonical) {
    let Matching { keys, number_space } = matching;
    let mut words: Vec<&str> = keys
        .iter()
        .map(|key| match key {
            MatchKey::WorkEmail => "work email",
            MatchKey::EmployeeNumber => "employee number",
        })
        .collect();
    words.sort_unstable();
    form.each("key", words);
    form.perhaps("number space", number_space.as_deref());
    for Connection { name, role, migrates, says_who_left } in connections {
        form.perhaps("corroborating", (*role == Role::Corroborating).then_some(name));
        let when_off_for = says_who_left.as_ref().map(|says| format!("{name} {}", says.when_off_for));
        form.perhaps("says who left when off for", when_off_for.as_deref());
        form.perhaps("replaces", migrates.as_ref().map(|migration| migration.from.as_str()));
        form.perhaps("with the same ids", migrates.as_ref().filter(|one| one.same_ids).map(|one| one.from.as_str()));
    }
}

/// Lists as they are compared: sorted, without case and surrounding blanks, but for ids and names of Persons.
fn lists(lists: &ScopeLists, form: &mut Canonical) {
    let ScopeLists { legal_entities, employment_types, departments, teams, locations, people } = lists;
    for (name, values) in
        [("legal entity", legal_entities), ("department", departments), ("team", teams), ("location", locations)]
    {
        let values: BTreeSet<String> = values.iter().map(|value| folded(value)).collect();
        form.each(name, values.iter().map(String::as_str));
    }
    let kinds: BTreeSet<&str> = employment_types.iter().map(|kind| kind.as_str()).collect();
    form.each("employment type", kinds);
    let people: BTreeSet<&str> = people.iter().map(|person| person.trim()).collect();
    form.each("person", people);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(change: &Value) -> SyncPolicySpec {
        let mut spec = json!({
            "connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"},
            "scope": {"include": {"departments": ["Sales", "Support"]}}, "identity": {"usernames": ["person.id"]},
        });
        spec.as_object_mut().expect("a map").extend(change.as_object().expect("a map").clone());
        serde_json::from_value(spec).expect("a spec")
    }

    fn written(change: &Value) -> String {
        Fingerprint::of(&spec(change), true, source("uid-1", "source-1")).written().expect("all of it is known")
    }

    #[test]
    fn the_form_of_a_policy_is_written_out_and_stays_as_it_is() {
        let expected = "policy 1\ninclude/department=sales\ninclude/department=support\nusername=person.id\n\
            remove after seconds=259200\n";
        assert_eq!(form(&spec(&json!({}))).text(), expected);
        let written = written(&json!({}));
        assert!(written.starts_with("1.observe.") && written.len() <= 64, "{written}");
    }

    #[test]
    fn a_baseline_is_made_of_connection_source_scope_identity_lifecycle_and_mode_and_of_nothing_else() {
        let settled = written(&json!({}));
        for (what, change, same) in [
            ("the same", json!({}), true),
            ("another mode", json!({"mode": "Enforce"}), false),
            (
                "one more connection, which has a baseline of its own",
                json!({"connections": [{"name": "hq"}, {"name": "okta"}]}),
                true,
            ),
            ("another identity", json!({"identity": {"usernames": ["'oidc:' + person.id"]}}), false),
            ("another scope", json!({"scope": {"exclude": {"teams": ["Key accounts"]}}}), false),
            ("another expression", json!({"scope": {"expression": "true"}}), false),
            ("another lifecycle", json!({"lifecycle": {"termination": {"removeAfter": "1h"}}}), false),
            ("who is on leave is frozen", json!({"lifecycle": {"leave": "Freeze"}}), false),
            ("who is on leave keeps access, written out", json!({"lifecycle": {"leave": "Keep"}}), true),
            ("a default written out", json!({"mode": "Observe"}), true),
            ("the same time in days", json!({"lifecycle": {"termination": {"removeAfter": "3d"}}}), true),
            ("the same list", json!({"scope": {"include": {"departments": ["support ", "SALES", "Sales"]}}}), true),
            (
                "accounts that say who has left",
                json!({"connections": [{"name": "hq", "role": "Corroborating", "saysWhoLeft": {"whenOffFor": "30d"}}]}),
                false,
            ),
            ("other limits", json!({"limits": {"approvalsLast": "1h"}}), true),
            ("others protected", json!({"protected": {"people": ["7"]}}), true),
            ("other zones", json!({"timeZones": {"default": "UTC"}}), true),
        ] {
            assert_eq!(written(&change) == settled, same, "{what}");
        }
    }

    #[test]
    fn a_connection_that_was_deleted_and_applied_again_makes_a_new_baseline() {
        let policy = spec(&json!({}));
        let of = |uid: &str, source: &str| Fingerprint::of(&policy, true, super::source(uid, source));
        let settled = of("uid-1", "source-1").written().expect("all of it is known");
        for (uid, source, expected) in [
            ("uid-1", "source-1", Baseline::Settled),
            ("uid-2", "source-1", Baseline::Now),
            ("uid-1", "source-2", Baseline::Now),
        ] {
            assert_eq!(of(uid, source).baseline(Some(&settled), true, true), expected, "{uid}, {source}");
        }
        assert_eq!(
            of("uid-2", "source-1").baseline(Some(&settled), true, false),
            Baseline::Awaited,
            "before its response"
        );
    }

    #[test]
    fn what_was_settled_stands_while_the_connection_is_gone_or_the_spec_cannot_be_followed() {
        let settled = written(&json!({}));
        let is = || source("uid-1", "source-1");
        let enforce = json!({"mode": "Enforce"});
        for (what, change, followed, source, called_settled, expected) in [
            ("the connection is gone", json!({}), true, Digest::Stands, true, Baseline::Settled),
            (
                "it is gone, and the scope was changed",
                json!({"scope": {}}),
                true,
                Digest::Stands,
                true,
                Baseline::Awaited,
            ),
            ("its source is not known yet", json!({}), true, Digest::NotKnown, true, Baseline::Awaited),
            ("the spec cannot be followed", json!({}), false, is(), true, Baseline::Settled),
            ("and a baseline was awaited before", json!({}), false, is(), false, Baseline::Awaited),
            ("and it is to act from now on", enforce, false, is(), true, Baseline::Awaited),
            (
                "and another connection has the name",
                json!({}),
                false,
                super::source("uid-2", "source-1"),
                true,
                Baseline::Awaited,
            ),
            ("both", json!({}), false, Digest::Stands, true, Baseline::Settled),
        ] {
            let now = Fingerprint::of(&spec(&change), followed, source);
            assert_eq!(now.baseline(Some(&settled), called_settled, false), expected, "{what}");
            assert_eq!(now.baseline(None, called_settled, false), Baseline::Awaited, "{what}, and nothing was settled");
        }
    }

    #[test]
    fn a_fingerprint_of_another_form_fits_nothing() {
        let now = Fingerprint::of(&spec(&json!({})), true, Digest::Stands);
        for settled in ["", "0d1f", "0.observe.a.b", "1.observe.a", "1.observe.a.b.c"] {
            assert_eq!(now.baseline(Some(settled), true, false), Baseline::Awaited, "{settled}");
        }
    }
}
