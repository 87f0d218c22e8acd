//! Who owns what in the cluster now: everybody who worked here in the period, and everybody who left and still owns something.

use std::collections::BTreeMap;

use jiff::civil::Date;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::{Client, ResourceExt};
use serde::Serialize;

use super::Days;
use super::sheet::Column;
use crate::api::person::State;
use crate::api::{Person, convert, names};
use crate::cli::Failure;
use crate::cli::plugin::people::{Shown, all, record};
use crate::kube::inventory;
use crate::kube::named::Api;
use domain::identity::Finding;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{Account, Binding, Subject};

/// Accounts with an owner annotation, and bindings with the role that each gives.
#[derive(Debug, Default)]
pub struct Things {
    accounts: Vec<Account>,
    bindings: Vec<(Binding, String)>,
}

impl Things {
    /// Reads them with the caller's rights. Without those there is no review.
    pub async fn read(client: &Client) -> Result<Self, Failure> {
        let (accounts, roles, cluster_roles) = futures::try_join!(
            all::<ServiceAccount>("list the ServiceAccounts", Api::all(client.clone()), ""),
            all::<RoleBinding>("list the RoleBindings", Api::all(client.clone()), ""),
            all::<ClusterRoleBinding>("list the ClusterRoleBindings", Api::all(client.clone()), ""),
        )?;
        let role = |role: &k8s_openapi::api::rbac::v1::RoleRef| format!("{} {}", role.kind, role.name);
        let one = |binding: &RoleBinding| Some((inventory::role_binding(binding)?, role(&binding.role_ref)));
        let wide =
            |binding: &ClusterRoleBinding| Some((inventory::cluster_role_binding(binding)?, role(&binding.role_ref)));
        Ok(Self {
            accounts: accounts.iter().filter_map(|account| inventory::account(&account.metadata)).collect(),
            bindings: roles.iter().filter_map(one).chain(cluster_roles.iter().filter_map(wide)).collect(),
        })
    }
}

/// A person and something they own; or a person who owns nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    person: String,
    records: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    policy: String,
    state: String,
    last_day: Option<Date>,
    /// Name of the manager's Person.
    manager: String,
    /// `ServiceAccount apps/ci`; empty for nothing.
    owns: String,
    /// What it gives: the role of a binding, or the roles that are bound to an account.
    gives: Vec<String>,
    /// `Theirs`, `Ambiguous` or `WorksHere`, as in what remains of a leaver.
    whose: String,
    /// `HasLeft`: they have left, and it is theirs. `Ambiguous`: it names several people.
    finding: String,
    /// `Enabled`, `Disabled` or `unknown`, by the directories; empty where the policy has none.
    account: String,
    /// Day of the newest sign-in, `Never` or `unknown`.
    last_sign_in: String,
    /// `Yes`, `No` or `unknown`.
    mfa_enrolled: String,
    /// `Yes`, `No` or `unknown`.
    sso: String,
    /// `LeaverEnabled`, `WorkerDisabled` or `NoAccount`.
    account_finding: String,
}

impl Row {
    /// Name of the Person.
    pub fn person(&self) -> &str {
        &self.person
    }

    /// What has to be looked at: `HasLeft`, `Ambiguous`, or nothing.
    pub fn finding(&self) -> &str {
        &self.finding
    }

    /// Name of the manager's Person.
    pub fn manager(&self) -> &str {
        &self.manager
    }

    /// Whether it is of the invented person of the drill.
    pub fn is_of_drill(&self) -> bool {
        self.policy == names::DRILL
    }

    /// Without name and address.
    pub fn masked(self) -> Self {
        Self { name: None, address: None, ..self }
    }
}

/// Something that names somebody.
struct Owned {
    what: String,
    gives: Vec<String>,
    claim: Claim,
}

/// A row for each thing of each person, and one for who owns nothing; what an auditor has to look at first.
pub fn rows(
    people: &[Person],
    things: &Things,
    days: Days,
    policy: Option<&str>,
    accounts: &dyn Fn(&Person) -> Shown,
) -> Vec<Row> {
    let index = convert::index(people);
    let mut owned = owned(&index, things);
    let mut rows: Vec<Row> = Vec::new();
    for person in people {
        let status = person.status.as_ref();
        let theirs = owned.remove(&person.name_any()).unwrap_or_default();
        let managed = status.and_then(|status| status.policy.as_deref());
        if policy.is_some_and(|policy| managed != Some(policy)) {
            continue;
        }
        let state = status.and_then(|status| Some(status.employment.as_ref()?.state));
        let left = state == Some(State::Terminated);
        let in_scope = state != Some(State::OutOfScope) && worked(person, days);
        let remains = left && !theirs.is_empty();
        if !in_scope && !remains {
            continue;
        }
        let row = with_accounts(of_person(person), accounts(person));
        if theirs.is_empty() {
            rows.push(row.clone());
        }
        rows.extend(theirs.into_iter().map(|one| of_thing(row.clone(), one, left)));
    }
    let key = |row: &Row| (rank(&row.finding), row.records.clone(), row.person.clone(), row.owns.clone());
    rows.sort_by_cached_key(key);
    rows
}

/// What has to be looked at comes first.
fn rank(finding: &str) -> u8 {
    match finding {
        "HasLeft" => 0,
        "" => 2,
        _ => 1,
    }
}

/// Whether somebody worked here on one of these days, by all that is known: one without dates did.
fn worked(person: &Person, days: Days) -> bool {
    let Some(status) = &person.status else { return false };
    let begun = status.employments.iter().any(|one| one.start_date.is_none_or(|start| start <= days.to));
    let employment = status.employment.as_ref();
    let last = employment.and_then(|employment| employment.last_day);
    let gone = employment.is_some_and(|employment| employment.state == State::Terminated);
    begun && if gone { last.is_none_or(|last| last >= days.from) } else { true }
}

/// By the Person that each thing names.
fn owned(index: &Index, things: &Things) -> BTreeMap<String, Vec<Owned>> {
    let mut bound: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (binding, role) in &things.bindings {
        for subject in &binding.subjects {
            if let Subject::Account { namespace, name } = subject {
                bound.entry((namespace, name)).or_default().push(gives(binding, role));
            }
        }
    }
    let mut owned: BTreeMap<String, Vec<Owned>> = BTreeMap::new();
    let mut add = |person: &PersonFacts, what: String, gives: Vec<String>, claim: Claim| {
        if claim != Claim::NotTheirs {
            owned.entry(person.name.clone()).or_default().push(Owned { what, gives, claim });
        }
    };
    for account in &things.accounts {
        let what = format!("ServiceAccount {}/{}", account.namespace, account.name);
        let gives = bound.get(&(account.namespace.as_str(), account.name.as_str())).cloned().unwrap_or_default();
        for person in index.named_by_owner(&account.owner) {
            add(person, what.clone(), gives.clone(), index.claim(&account.owner, person));
        }
    }
    for (binding, role) in &things.bindings {
        let slash = if binding.namespace.is_empty() { "" } else { "/" };
        let what = format!("{} {}{slash}{}", binding.kind.as_str(), binding.namespace, binding.name);
        for subject in &binding.subjects {
            let Subject::User(user) = subject else { continue };
            for person in index.named_by_user(user) {
                add(person, what.clone(), vec![gives(binding, role)], index.user_claim(user, person));
            }
        }
    }
    owned
}

/// `ClusterRole edit in apps`.
fn gives(binding: &Binding, role: &str) -> String {
    if binding.namespace.is_empty() { format!("{role} everywhere") } else { format!("{role} in {}", binding.namespace) }
}

fn of_person(person: &Person) -> Row {
    let status = person.status.clone().unwrap_or_default();
    let profile = status.profile.unwrap_or_default();
    let employment = status.employment;
    Row {
        person: person.name_any(),
        records: person.spec.records.iter().map(record).collect(),
        name: person.display_name().map(str::to_owned),
        address: profile.work_email,
        policy: status.policy.unwrap_or_default(),
        state: employment.as_ref().map(|one| one.state.as_str().to_owned()).unwrap_or_default(),
        last_day: employment.and_then(|one| one.last_day),
        manager: profile.manager.unwrap_or_default(),
        ..Row::default()
    }
}

fn with_accounts(row: Row, shown: Shown) -> Row {
    let Shown { account, facts: [last_sign_in, mfa_enrolled, sso], finding } = shown;
    let account_finding = finding.map_or("", Finding::as_str).to_owned();
    Row { account, last_sign_in, mfa_enrolled, sso, account_finding, ..row }
}

fn of_thing(row: Row, Owned { what, gives, claim }: Owned, left: bool) -> Row {
    let (whose, finding) = match claim {
        Claim::Theirs | Claim::NotTheirs => ("Theirs", if left { "HasLeft" } else { "" }),
        Claim::WorksHere => ("WorksHere", ""),
        Claim::Ambiguous => ("Ambiguous", "Ambiguous"),
    };
    Row { owns: what, gives, whose: whose.to_owned(), finding: finding.to_owned(), ..row }
}

/// The columns.
pub const COLUMNS: [Column<Row>; 17] = [
    ("FINDING", true, |row| vec![row.finding.clone()]),
    ("PERSON", false, |row| vec![row.person.clone()]),
    ("HR RECORDS", true, |row| row.records.clone()),
    ("NAME", true, |row| row.name.iter().cloned().collect()),
    ("ADDRESS", false, |row| row.address.iter().cloned().collect()),
    ("POLICY", false, |row| vec![row.policy.clone()]),
    ("STATE", true, |row| vec![row.state.clone()]),
    ("LAST DAY", true, |row| row.last_day.map(|day| day.to_string()).into_iter().collect()),
    ("MANAGER", false, |row| vec![row.manager.clone()]),
    ("OWNS", true, |row| vec![row.owns.clone()]),
    ("GIVES", true, |row| row.gives.clone()),
    ("WHOSE", false, |row| vec![row.whose.clone()]),
    ("ACCOUNT", true, |row| vec![row.account.clone()]),
    ("LAST SIGN-IN", true, |row| vec![row.last_sign_in.clone()]),
    ("MFA", true, |row| vec![row.mfa_enrolled.clone()]),
    ("SSO", false, |row| vec![row.sso.clone()]),
    ("ACCOUNT FINDING", true, |row| vec![row.account_finding.clone()]),
];

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    fn person(id: &str, state: &str, days: [Option<&str>; 2]) -> Person {
        serde_json::from_value(json!({
            "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": id},
            "spec": {"records": [{"connection": "hq", "id": id}]},
            "status": {
                "policy": "everyone",
                "aliases": [format!("email:{id}@example.com"), format!("user:oidc:{id}@example.com")],
                "employments": [{"connection": "hq", "id": id, "reportedStatus": "Active", "startDate": days[0]}],
                "employment": {"state": state, "since": "2026-01-01T00:00:00Z", "timeZone": "UTC", "why": "", "lastDay": days[1]},
                "profile": {"displayName": "Ada", "workEmail": format!("{id}@example.com")},
            },
        }))
        .unwrap()
    }

    fn account(name: &str, owner: &str) -> Account {
        Account {
            namespace: "apps".into(),
            name: name.into(),
            uid: name.into(),
            owner: owner.into(),
            next: domain::handover::Nominated::default(),
            purpose: None,
            break_glass: false,
        }
    }

    fn binding(namespace: &str, subjects: Vec<Subject>) -> (Binding, String) {
        let kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
        let kind = if kind == "RoleBinding" {
            domain::plan::Kind::RoleBinding
        } else {
            domain::plan::Kind::ClusterRoleBinding
        };
        let (namespace, uid, name) = (namespace.to_owned(), namespace.to_owned(), "b".to_owned());
        (Binding { kind, namespace, name, uid, subjects, break_glass: false }, "ClusterRole edit".to_owned())
    }

    fn things() -> Things {
        let user = |id: &str| Subject::User(format!("oidc:{id}@example.com"));
        let ci = Subject::Account { namespace: "apps".into(), name: "ci".into() };
        Things {
            accounts: vec![account("ci", "id:hq/1"), account("old", "id:hq/2"), account("nobody", "id:hq/99")],
            bindings: vec![binding("apps", vec![user("1"), user("2")]), binding("", vec![ci])],
        }
    }

    fn listed(rows: &[Row]) -> Vec<[String; 3]> {
        rows.iter().map(|row| [row.finding.clone(), row.person.clone(), row.owns.clone()]).collect()
    }

    const QUARTER: Days = Days { from: date(2026, 1, 1), to: date(2026, 3, 31) };

    #[test]
    fn who_left_and_owns_something_comes_first_and_who_works_here_is_listed_with_all_they_own() {
        let people = [
            person("1", "Active", [Some("2020-01-01"), None]),
            person("2", "Terminated", [Some("2020-01-01"), Some("2019-12-31")]),
            person("3", "Active", [Some("2020-01-01"), None]),
            person("4", "Terminated", [Some("2020-01-01"), Some("2026-02-01")]),
            person("5", "Terminated", [Some("2020-01-01"), Some("2025-12-31")]),
            person("6", "PreHire", [Some("2026-06-01"), None]),
        ];
        let rows = rows(&people, &things(), QUARTER, None, &|_| Shown::default());
        let row = |finding: &str, person: &str, owns: &str| [finding, person, owns].map(str::to_owned);
        let expected = [
            row("HasLeft", "p-2", "RoleBinding apps/b"),
            row("HasLeft", "p-2", "ServiceAccount apps/old"),
            row("", "p-1", "RoleBinding apps/b"),
            row("", "p-1", "ServiceAccount apps/ci"),
            row("", "p-3", ""),
            row("", "p-4", ""),
        ];
        assert_eq!(listed(&rows), expected);
        let ci = rows.iter().find(|row| row.owns.ends_with("ci")).unwrap();
        assert_eq!(ci.gives, ["ClusterRole edit everywhere"], "what is bound to the account");
        assert_eq!(super::rows(&people, &things(), QUARTER, Some("other"), &|_| Shown::default()), []);
    }

    #[test]
    fn no_name_and_no_address_is_left_of_a_masked_row() {
        let row = of_person(&person("1", "Active", [None, None]));
        assert!(row.name.is_some() && row.address.is_some());
        let text = serde_json::to_string(&row.masked()).unwrap();
        assert!(!text.contains("Ada") && !text.contains("@"), "{text}");
    }

    #[test]
    fn ten_thousand_people_with_three_things_each_take_no_time_to_speak_of() {
        let number = |n: u32| format!("{n:05}");
        let people: Vec<Person> = (0..10_000).map(|n| person(&number(n), "Active", [None, None])).collect();
        let user = |n: u32| Subject::User(format!("oidc:{}@example.com", number(n)));
        let mut things = Things::default();
        for n in 0..10_000 {
            things.accounts.push(account(&format!("a{n}"), &format!("id:hq/{}", number(n))));
            things.bindings.push(binding(&format!("ns{n}"), vec![user(n)]));
            things.bindings.push(binding(&format!("more{n}"), vec![user(n), user((n + 1) % 10_000)]));
        }
        let rows = rows(&people, &things, QUARTER, None, &|_| Shown::default());
        assert_eq!(rows.len(), 40_000);
    }
}
