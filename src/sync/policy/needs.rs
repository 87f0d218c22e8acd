//! What the policies over a connection need of its source.

use kube::ResourceExt;

use super::settings::{Settings, fields_in_force};
use crate::api::{HRConnection, SyncPolicy};
use crate::kube::usernames::Usernames;
use crate::sync::convert;
use domain::field::{Field, Text};
use domain::moves::MoveField;
use domain::needs::{Needs, Wanted, Why};
use domain::profile::Modes;
use domain::roster::{MatchKey, Matching};

/// Whether a policy reads a connection.
#[must_use]
pub fn over(policy: &SyncPolicy, connection: &str) -> bool {
    policy.spec.connections.iter().any(|named| named.name == connection)
}

/// What is read of a connection: what these policies need, of those that are over it.
///
/// What many people share is read of a file whatever a policy says: the file comes whole, and once it was moved away, a
/// changed scope could not be decided by what was not read. So is that of a connection without a policy: the first one
/// is usually applied a moment after it.
#[must_use]
pub fn of_connection(connection: &HRConnection, policies: &[SyncPolicy]) -> Needs {
    let mut needs = Needs::default();
    for field in &connection.spec.trust.always_present {
        needs.add(Wanted::Field(*field), Why::AlwaysPresent);
    }
    let name = connection.name_any();
    let ours: Vec<_> = policies.iter().filter(|policy| over(policy, &name)).collect();
    for policy in &ours {
        ask(&mut needs, policy);
        keep(&mut needs, policy);
    }
    if ours.is_empty() || connection.spec.source.file.is_some() {
        let shared = Text::all_shared().map(Text::field).chain([Field::Manager, Field::EmploymentType]);
        shared.for_each(|field| needs.add(Wanted::Field(field), Why::AtHand));
    }
    needs
}

/// What a policy decides and names by.
#[must_use]
pub fn asked(policy: &str, settings: &Settings) -> Needs {
    let mut needs = Needs::default();
    settings.scope.asks().for_each(|(by, field)| needs.ask(policy, &by, [field]));
    settings.usernames.asks().for_each(|(by, field)| needs.ask(policy, &by, [field]));
    match_by(&mut needs, policy, &settings.matching);
    needs
}

/// Adds what records are matched by. Name and address are read always.
fn match_by(needs: &mut Needs, policy: &str, matching: &Matching) {
    if matching.keys.contains(&MatchKey::EmployeeNumber) {
        needs.ask(policy, "spec.matching.keys", [Text::EmployeeNumber.as_str()]);
    }
}

/// Adds the fields whose changes are moves.
fn move_by(needs: &mut Needs, policy: &str, on: &[MoveField]) {
    for field in on {
        let why = Why::Asked { policy: policy.to_owned(), by: "spec.lifecycle.move.fields".to_owned() };
        needs.add((&field.field()).into(), why);
    }
}

/// Adds what a policy keeps, and what it kept until now: a mode that takes values away is announced before it is followed.
pub fn keep(needs: &mut Needs, policy: &SyncPolicy) {
    let name = policy.name_any();
    fields_in_force(policy).iter().for_each(|modes| needs.keep(&name, modes));
    needs.keep(&name, &Modes::new(&policy.spec.fields).unwrap_or_default());
    // Without it no move is seen, and nothing else is wrong: it is asked for, and no response is left aside for want of it.
    move_by(needs, &name, policy.spec.lifecycle.moves.fields.as_deref().unwrap_or_default());
}

/// An expression that cannot be read may ask for anything.
fn ask(needs: &mut Needs, policy: &SyncPolicy) {
    let name = policy.name_any();
    match convert::scope(&policy.spec.scope) {
        Ok(scope) => scope.asks().for_each(|(by, field)| needs.ask(&name, &by, [field])),
        Err(_) => needs.ask(&name, "spec.scope.expression", Text::all_shared().map(Text::as_str)),
    }
    match Usernames::compile(&policy.spec.identity.usernames) {
        Ok(usernames) => usernames.asks().for_each(|(by, field)| needs.ask(&name, &by, [field])),
        Err(_) => needs.ask(&name, "spec.identity.usernames", Text::all_shared().map(Text::as_str)),
    }
    match_by(needs, &name, &convert::matching(&policy.spec.matching));
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::field::Slot;
    use serde_json::{Value, json};

    fn connection(source: &Value) -> HRConnection {
        HRConnection::new(
            "hq",
            serde_json::from_value(json!({"source": source, "trust": {"alwaysPresent": ["phone"]}})).unwrap(),
        )
    }

    fn policy(over: &str, more: &Value) -> SyncPolicy {
        let mut spec = json!({"connections": [{"name": over}], "timeZones": {"default": "UTC"}});
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        serde_json::from_value(json!({"metadata": {"name": "everyone"}, "spec": spec})).unwrap()
    }

    fn read(connection: &HRConnection, policies: &[SyncPolicy]) -> Vec<&'static str> {
        let needs = of_connection(connection, policies);
        let always = Needs::default();
        let more = Slot::ALL.iter().copied().filter(|slot| needs.slot(*slot) && !always.slot(*slot));
        more.map(Slot::name).collect()
    }

    #[test]
    fn a_source_is_read_for_what_its_policies_decide_by_name_by_or_keep_and_for_nothing_else() {
        let api = connection(&json!({"api": {"connector": "bamboohr", "credentialsRef": {"name": "hr"}}}));
        let usual = ["department", "managerEmail", "managerId", "legalEntity", "phone"];
        let cases = [
            (json!({}), vec![]),
            (json!({"scope": {"exclude": {"teams": ["x"]}}}), vec!["team"]),
            (
                json!({"scope": {"expression": "person.costCenter == '1' && person.state == 'Active'"}}),
                vec!["costCenter"],
            ),
            (json!({"scope": {"expression": "person."}}), vec!["title", "team", "costCenter"]),
            (
                json!({"identity": {"usernames": ["person.employmentType + person.title"]}}),
                vec!["title", "employmentType"],
            ),
            (json!({"fields": {"pictureUrl": "Once"}}), vec!["pictureUrl"]),
            (json!({"lifecycle": {"move": {"fields": ["title", "manager"]}}}), vec!["title"]),
        ];
        for (spec, more) in cases {
            let found =
                read(&api, &[policy("hq", &spec), policy("other", &json!({"fields": {"homeAddress": "Once"}}))]);
            let expected = Slot::ALL.iter().map(|slot| slot.name());
            let expected: Vec<_> = expected.filter(|name| usual.contains(name) || more.contains(name)).collect();
            assert_eq!(found, expected, "{spec}");
        }
        let none =
            policy("hq", &json!({"fields": {"department": "Never", "legalEntity": "Never", "manager": "Never"}}));
        assert_eq!(read(&api, &[none]), ["phone"], "what is kept by nobody");
    }

    #[test]
    fn a_file_and_a_connection_without_a_policy_are_read_for_what_a_scope_may_ask_later_and_no_more() {
        let api = connection(&json!({"api": {"connector": "bamboohr", "credentialsRef": {"name": "hr"}}}));
        let file = connection(&json!({"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}));
        let shared = [
            "department",
            "title",
            "managerEmail",
            "managerId",
            "employmentType",
            "legalEntity",
            "team",
            "costCenter",
            "phone",
        ];
        assert_eq!(read(&api, &[]), shared);
        assert_eq!(read(&file, &[policy("hq", &json!({}))]), shared);
    }

    #[test]
    fn what_a_policy_decides_by_is_asked_for_by_each_of_its_expressions_and_lists() {
        let spec = json!({"scope": {"include": {"teams": ["a"]}}, "identity": {"usernames": ["person.title"]}});
        let needs = asked("everyone", &Settings::of(&policy("hq", &spec), &[]).unwrap());
        assert!(needs.slot(Slot::Team) && needs.slot(Slot::Title) && !needs.slot(Slot::Department));
    }

    #[test]
    fn what_was_kept_is_read_until_it_is_given_up() {
        let mut policy = policy("hq", &json!({}));
        policy.status.get_or_insert_default().fields =
            Some(crate::api::policy::Fields { in_force: "homeAddress=Once".into(), ..Default::default() });
        let api = connection(&json!({"api": {"connector": "bamboohr", "credentialsRef": {"name": "hr"}}}));
        assert!(read(&api, &[policy]).contains(&"homeAddress"));
    }
}
