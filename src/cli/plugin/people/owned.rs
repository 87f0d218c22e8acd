//! What in the cluster is somebody's now: accounts by their owner annotation, bindings by the users they name.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, Subject as RbacSubject};
use kube::Client;
use serde::Serialize;

use super::{all, edit};
use crate::api::{Person, convert};
use crate::cli::Failure;
use crate::kube::calls;
use crate::kube::inventory;
use crate::kube::named::Api;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{Account, Binding, Subject};

/// What is somebody's.
#[derive(Debug, Default, PartialEq)]
pub enum Owned {
    /// The caller may not list it.
    #[default]
    NotAllowed,
    /// All of it.
    Things(Vec<Thing>),
}

/// An object that names somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// `ServiceAccount apps/ci`.
    pub what: String,
    /// Whether it is theirs.
    pub whose: Whose,
    /// Of a binding that others share: the command that takes them out. It holds user names.
    pub edit: Option<String>,
}

/// Whose an object is that names somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Whose {
    /// Theirs alone.
    Theirs,
    /// This human's, who works here by another record.
    WorksHere,
    /// It may also be somebody else's, who works here.
    Ambiguous,
}

/// Accounts and bindings of the whole cluster.
#[derive(Debug)]
pub struct Seen {
    accounts: Vec<Account>,
    bindings: Vec<(Binding, Vec<RbacSubject>)>,
}

/// Looks for what is theirs with the caller's rights, which need not reach so far.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn of(client: &Client, people: &[Person], person: &Person) -> Result<Owned, Failure> {
    Ok(of_person(seen(client).await?.as_ref(), people, person, calls::now()))
}

/// What of the cluster is somebody's. Nothing was seen where the caller may not look.
pub fn of_person(seen: Option<&Seen>, people: &[Person], person: &Person, now: Timestamp) -> Owned {
    let Some(seen) = seen else { return Owned::NotAllowed };
    let index = Index::new(people.iter().map(|one| convert::person_facts(one, now)).collect());
    Owned::Things(things(&seen.accounts, &seen.bindings, &index, &convert::person_facts(person, now)))
}

/// Reads accounts and bindings; nothing where the caller may not.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn seen(client: &Client) -> Result<Option<Seen>, Failure> {
    let lists = futures::try_join!(
        all::<ServiceAccount>("list the ServiceAccounts", Api::all(client.clone()), ""),
        all::<RoleBinding>("list the RoleBindings", Api::all(client.clone()), ""),
        all::<ClusterRoleBinding>("list the ClusterRoleBindings", Api::all(client.clone()), ""),
    );
    let (accounts, roles, cluster_roles) = match lists {
        Ok(lists) => lists,
        Err(Failure::Server { code: 401 | 403, .. }) => return Ok(None),
        Err(other) => return Err(other),
    };
    let accounts: Vec<_> = accounts.iter().filter_map(|account| inventory::account(&account.metadata)).collect();
    let raw = |subjects: &Option<Vec<RbacSubject>>| subjects.clone().unwrap_or_default();
    let roles = roles.iter().filter_map(|one| Some((inventory::role_binding(one)?, raw(&one.subjects))));
    let cluster_roles =
        cluster_roles.iter().filter_map(|one| Some((inventory::cluster_role_binding(one)?, raw(&one.subjects))));
    Ok(Some(Seen { accounts, bindings: roles.chain(cluster_roles).collect() }))
}

/// What of these names a person, in their order.
fn things(
    accounts: &[Account],
    bindings: &[(Binding, Vec<RbacSubject>)],
    index: &Index,
    person: &PersonFacts,
) -> Vec<Thing> {
    let marked = accounts.iter().filter_map(|account| {
        let whose = whose(index.claim(&account.owner, person))?;
        Some(Thing { what: format!("ServiceAccount {}/{}", account.namespace, account.name), whose, edit: None })
    });
    let theirs =
        |subject: &RbacSubject| subject.kind == "User" && index.user_claim(&subject.name, person) == Claim::Theirs;
    let bound = bindings.iter().filter_map(|(binding, subjects)| {
        let users = binding.subjects.iter().filter_map(|subject| match subject {
            Subject::User(name) => whose(index.user_claim(name, person)),
            Subject::Account { .. } | Subject::Other => None,
        });
        let name = match binding.namespace.as_str() {
            "" => binding.name.clone(),
            namespace => format!("{namespace}/{}", binding.name),
        };
        let edit = edit::command(&binding.namespace, &binding.name, subjects, theirs);
        Some(Thing { what: format!("{} {name}", binding.kind.as_str()), whose: users.max()?, edit })
    });
    let mut things: Vec<_> = marked.chain(bound).collect();
    things.sort();
    things
}

const fn whose(claim: Claim) -> Option<Whose> {
    match claim {
        Claim::NotTheirs => None,
        Claim::Theirs => Some(Whose::Theirs),
        Claim::WorksHere => Some(Whose::WorksHere),
        Claim::Ambiguous => Some(Whose::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_names_somebody_is_theirs_unless_another_one_it_means_works_here() {
        let person = |id: &str, address: &str, state: &str| -> Person {
            serde_json::from_value(json!({
                "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": id},
                "spec": {"records": [{"connection": "hq", "id": id}]},
                "status": {
                    "aliases": [format!("email:{address}"), format!("user:oidc:{address}"), "email:desk@example.com"],
                    "profile": {"workEmail": address},
                    "employment": {"state": state, "since": "2026-03-01T00:00:00Z", "timeZone": "UTC", "why": ""},
                },
            }))
            .unwrap()
        };
        let people = [
            person("7", "ada@example.com", "Terminated"),
            person("107", "ada@example.com", "Active"),
            person("8", "ben@example.com", "Active"),
            person("9", "eve@example.com", "Terminated"),
        ];
        let account = |name: &str, owner: &str| Account {
            namespace: "apps".into(),
            name: name.into(),
            uid: name.into(),
            owner: owner.into(),
            next: domain::handover::Nominated::default(),
            purpose: None,
            break_glass: false,
        };
        let binding = |namespace: &str, users: &[&str]| Binding {
            kind: if namespace.is_empty() {
                domain::plan::Kind::ClusterRoleBinding
            } else {
                domain::plan::Kind::RoleBinding
            },
            namespace: namespace.into(),
            name: "view".into(),
            uid: namespace.into(),
            subjects: users.iter().map(|user| Subject::User((*user).to_owned())).chain([Subject::Other]).collect(),
            break_glass: false,
        };
        let accounts = [
            account("seven", "id:hq/7"),
            account("eight", "id:hq/8"),
            account("desk", "desk@example.com"),
            account("nine", "id:hq/9"),
        ];
        let raw = |user: &str| RbacSubject { kind: "User".into(), name: user.into(), ..RbacSubject::default() };
        let both = ["oidc:eve@example.com", "oidc:ben@example.com"];
        let bindings = [
            (binding("apps", &["oidc:ada@example.com"]), vec![raw("oidc:ada@example.com")]),
            (binding("", &both), both.map(raw).to_vec()),
        ];
        let index = convert::index(&people);
        let of = |position: usize| -> Vec<(String, Whose)> {
            let things = things(&accounts, &bindings, &index, &convert::known_by(&people[position]));
            things.into_iter().map(|thing| (thing.what, thing.whose)).collect()
        };
        let thing = |what: &str, whose| (what.to_owned(), whose);
        let expected = [
            thing("RoleBinding apps/view", Whose::WorksHere),
            thing("ServiceAccount apps/desk", Whose::Ambiguous),
            thing("ServiceAccount apps/seven", Whose::WorksHere),
        ];
        assert_eq!(of(0), expected);
        let expected = [
            thing("ClusterRoleBinding view", Whose::Theirs),
            thing("ServiceAccount apps/desk", Whose::Ambiguous),
            thing("ServiceAccount apps/nine", Whose::Theirs),
        ];
        assert_eq!(of(3), expected);
        let things = things(&accounts, &bindings, &index, &convert::known_by(&people[3]));
        let edits: Vec<_> = things.iter().filter_map(|thing| thing.edit.as_deref()).collect();
        assert!(edits.len() == 1 && edits[0].contains("/subjects/0") && !edits[0].contains("ben@"), "{edits:?}");
    }
}
