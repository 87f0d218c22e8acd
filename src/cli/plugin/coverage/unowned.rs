//! What nobody owns: read once, and decided apart from that.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::{ListParams, ObjectMeta, PartialObjectMeta};
use kube::{Client, ResourceExt};
use serde::Serialize;

use crate::api::policy::OwnershipSource;
use crate::api::{Person, convert, names};
use crate::cli::plugin::people::{World, all, record};
use crate::cli::{Failure, ask, told};
use crate::kube::named::Api;
use crate::kube::usernames::{Form, Usernames};
use crate::kube::{calls, inventory, sources};
use domain::ownership::{Index, Owners};
use domain::plan::reach::{SYSTEM_NAME, is_system};
use domain::plan::{Binding, Subject};
use domain::sources::{Owner, Records, Source, owner};

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    /// How many accounts may be somebody's.
    pub accounts: usize,
    /// How many of them have an owner who is known.
    pub owned: usize,
    /// The same of each namespace, in their order.
    pub namespaces: BTreeMap<String, Counted>,
    /// What nobody owns.
    pub unowned: Vec<Unowned>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How many accounts of a namespace may be somebody's, and have an owner who is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// How many may be somebody's.
    pub accounts: usize,
    /// How many of them have an owner who is known.
    pub owned: usize,
}

/// An object that nobody owns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unowned {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for a ClusterRoleBinding.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `NoOwner`, `UnknownOwner`, `SeveralOwners`, `AccountUnowned` or `UnknownUser`.
    pub why: &'static str,
    /// What an owner annotation would say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested: Option<String>,
    /// What says so; or that sources disagree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl Unowned {
    /// `ServiceAccount apps/ci`.
    pub fn what(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            namespace => format!("{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// What of a cluster it is decided from.
#[derive(Debug, Default)]
struct Seen {
    accounts: Vec<ObjectMeta>,
    /// Token Secrets, by namespace and name, with the account.
    tokens: Vec<(String, String, String)>,
    bindings: Vec<Binding>,
    records: Records,
    sources: Vec<Source>,
    forms: Vec<Form>,
    own: Vec<String>,
}

/// Reads it, and decides.
///
/// # Errors
/// When people, accounts or bindings may not be read; when the API server does not answer.
pub async fn read(client: &Client, namespace: &str) -> Result<Found, Failure> {
    let world = World::read(client, namespace).await?;
    let (accounts, role_bindings, cluster_bindings) = futures::try_join!(
        all::<ServiceAccount>("list the ServiceAccounts", Api::all(client.clone()), ""),
        all::<RoleBinding>("list the RoleBindings", Api::all(client.clone()), ""),
        all::<ClusterRoleBinding>("list the ClusterRoleBindings", Api::all(client.clone()), ""),
    )?;
    let mut notes = Vec::new();
    let tokens = match tokens(client).await {
        Ok(tokens) => tokens,
        Err(Failure::Server { code: 401 | 403, .. }) => {
            notes.push(
                "You may not list Secrets: token Secrets are not shown. Only metadata would be asked for.".to_owned(),
            );
            Vec::new()
        }
        Err(other) => return Err(other),
    };
    let asked: Vec<OwnershipSource> =
        world.policies.iter().flat_map(|policy| policy.spec.identity.ownership.clone()).collect();
    let (mut records, mut sources) =
        (Records::default(), asked.iter().map(OwnershipSource::source).collect::<Vec<_>>());
    match sources::records(client, namespace, &asked).await {
        Ok(read) => records = read,
        Err(fault) => {
            notes.push(format!(
                "Namespaces and catalogues are not asked: {}",
                told("read what spec.identity.ownership names", fault)
            ));
            sources.retain(|source| !matches!(source, Source::Namespace | Source::Catalogue));
        }
    }
    if asked.is_empty() {
        notes.push("No policy has spec.identity.ownership, so that no owner can be suggested.".to_owned());
    }
    let forms = world.policies.iter().filter_map(|policy| {
        let connections: Vec<String> = policy.spec.connections.iter().map(|one| one.name.clone()).collect();
        Some(Usernames::compile(&policy.spec.identity.usernames).ok()?.forms(&connections))
    });
    let bound = role_bindings.iter().filter_map(inventory::role_binding);
    let seen = Seen {
        accounts: accounts.into_iter().map(|account| account.metadata).collect(),
        tokens,
        bindings: bound.chain(cluster_bindings.iter().filter_map(inventory::cluster_role_binding)).collect(),
        records,
        sources,
        forms: forms.flatten().collect(),
        own: vec![namespace.to_owned(), format!("{namespace}-revoker")],
    };
    Ok(Found { notes, ..decide(&seen, &world.people) })
}

/// Token Secrets: those that name an account. Their contents are not asked for.
async fn tokens(client: &Client) -> Result<Vec<(String, String, String)>, Failure> {
    let api: Api<Secret> = Api::all(client.clone());
    let (mut found, mut page) = (Vec::new(), ListParams::default().limit(500));
    loop {
        let list = ask("list the metadata of Secrets", api.list_metadata(&page)).await?;
        let token = |PartialObjectMeta { metadata, .. }: PartialObjectMeta<Secret>| {
            let account = metadata.annotations?.remove(names::TOKEN_OF)?;
            Some((metadata.namespace?, metadata.name?, account))
        };
        found.extend(list.items.into_iter().filter_map(token));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// Decides what nobody owns, and asks the sources who it may belong to.
fn decide(seen: &Seen, people: &[Person]) -> Found {
    let index = Index::new(people.iter().map(|person| convert::person_facts(person, calls::now())).collect());
    let ids: BTreeMap<String, String> =
        people.iter().filter_map(|person| Some((person.uid()?, id_of(person)?))).collect();
    let mut found = Found::default();
    let mut unowned: BTreeMap<(&str, &str), Unowned> = BTreeMap::new();
    for meta in &seen.accounts {
        let (namespace, name) =
            (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        if name == "default" || is_system(namespace, &seen.own) {
            continue;
        }
        found.accounts += 1;
        let here = found.namespaces.entry(namespace.to_owned()).or_default();
        here.accounts += 1;
        let mark = meta.annotations.as_ref().and_then(|annotations| annotations.get(names::OWNER));
        let why = match mark.map(|mark| index.resolve(mark)) {
            Some(Owners::One(_)) => {
                found.owned += 1;
                here.owned += 1;
                continue;
            }
            Some(Owners::Several) => "SeveralOwners",
            Some(Owners::Nobody) => "UnknownOwner",
            None => "NoOwner",
        };
        let (suggested, because) = suggestion(meta, seen, &index, &ids);
        let (of, account) = (namespace.to_owned(), name.to_owned());
        let one = Unowned { kind: "ServiceAccount", namespace: of, name: account, why, suggested, because };
        unowned.insert((namespace, name), one);
    }
    for (namespace, name, account) in &seen.tokens {
        if let Some(one) = unowned.get(&(namespace.as_str(), account.as_str())) {
            let because = Some(format!("it is a token of ServiceAccount {namespace}/{account}, and ends with it"));
            let (kind, why) = ("Secret", "AccountUnowned");
            let one = Unowned { kind, why, name: name.clone(), suggested: None, because, ..one.clone() };
            found.unowned.push(one);
        }
    }
    found.unowned.extend(unowned.into_values());
    found.unowned.extend(seen.bindings.iter().filter_map(|binding| of_strangers(binding, &index, &seen.forms)));
    found.unowned.sort();
    found
}

/// Who an account without an owner annotation may belong to, and what says so.
fn suggestion(
    meta: &ObjectMeta,
    seen: &Seen,
    index: &Index,
    ids: &BTreeMap<String, String>,
) -> (Option<String>, Option<String>) {
    let Some(account) = sources::of(meta, &seen.own) else { return (None, None) };
    match owner(&account, &seen.sources, &seen.records, index) {
        Owner::Nobody => (None, None),
        Owner::Several(_) => (None, Some("sources name more than one person".to_owned())),
        Owner::One(person, says) => {
            let says: Vec<&str> = says.into_iter().map(domain::sources::Says::words).collect();
            (ids.get(&person.uid).cloned(), Some(says.join(", ")))
        }
    }
}

/// The owner annotation that names a Person by an HR record, which never changes.
fn id_of(person: &Person) -> Option<String> {
    person.spec.records.first().map(|first| format!("id:{}", record(first)))
}

/// A binding that names users of the form that people have, and one of them is nobody who is known.
fn of_strangers(binding: &Binding, index: &Index, forms: &[Form]) -> Option<Unowned> {
    let stranger = |subject: &Subject| match subject {
        Subject::User(name) => {
            let theirs = !name.starts_with(SYSTEM_NAME) && forms.iter().any(|form| form.fits(name));
            theirs && index.user(name) == Owners::Nobody
        }
        Subject::Account { .. } | Subject::Other => false,
    };
    binding.subjects.iter().any(stranger).then(|| Unowned {
        kind: binding.kind.as_str(),
        namespace: binding.namespace.clone(),
        name: binding.name.clone(),
        why: "UnknownUser",
        suggested: None,
        because: Some("it names a user who is nobody known".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use domain::plan::Kind;
    use serde_json::{Value, json};

    use super::*;

    fn person(id: &str) -> Person {
        serde_json::from_value(json!({
            "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": format!("u-{id}")},
            "spec": {"records": [{"connection": "hq", "id": id}]},
            "status": {"aliases": [format!("email:{id}@example.com"), format!("user:oidc:{id}@example.com")]},
        }))
        .unwrap()
    }

    fn account(namespace: &str, name: &str, annotations: Value, labels: Value) -> ObjectMeta {
        serde_json::from_value(
            json!({"namespace": namespace, "name": name, "annotations": annotations, "labels": labels}),
        )
        .unwrap()
    }

    fn binding(name: &str, users: &[&str]) -> Binding {
        Binding {
            kind: Kind::RoleBinding,
            namespace: "apps".into(),
            name: name.into(),
            uid: name.into(),
            subjects: users.iter().map(|user| Subject::User((*user).to_owned())).collect(),
            break_glass: false,
        }
    }

    #[test]
    fn what_nobody_owns_is_told_with_who_it_may_belong_to_and_why() {
        let owned = |owner: &str| json!({names::OWNER: owner});
        let seen = Seen {
            accounts: vec![
                account("apps", "sevens", owned("id:hq/7"), json!({})),
                account("apps", "labelled", json!({}), json!({"owner": "8"})),
                account("apps", "nobodys", json!({}), json!({})),
                account("apps", "gone", owned("id:hq/99"), json!({})),
                account("web", "disputed", json!({}), json!({"owner": "8"})),
                account("apps", "default", json!({}), json!({})),
                account("kube-system", "job-controller", json!({}), json!({})),
                account("rollcall", "rollcall-sync", json!({}), json!({})),
            ],
            tokens: vec![
                ("apps".into(), "nobodys-token".into(), "nobodys".into()),
                ("apps".into(), "sevens-token".into(), "sevens".into()),
            ],
            bindings: vec![
                binding("known", &["oidc:7@example.com"]),
                binding("stranger", &["oidc:7@example.com", "oidc:eve@example.com"]),
                binding("another", &["break-glass"]),
            ],
            records: Records { namespaces: BTreeMap::from([("web".into(), "id:hq/7".into())]), ..Records::default() },
            sources: vec![Source::Namespace, Source::Label { key: "owner".into(), owner: "id:hq/{}".into() }],
            forms: Usernames::compile(&["'oidc:' + person.workEmail".to_owned()]).unwrap().forms(&["hq".to_owned()]),
            own: vec!["rollcall".into(), "rollcall-revoker".into()],
        };
        let found = decide(&seen, &[person("7"), person("8")]);
        assert_eq!((found.accounts, found.owned), (5, 1));
        let of = |name: &str| found.namespaces.get(name).map(|here| (here.accounts, here.owned));
        assert_eq!([of("apps"), of("web"), of("kube-system")], [Some((4, 1)), Some((1, 0)), None]);
        let rows: Vec<_> = found
            .unowned
            .iter()
            .map(|one| (one.what(), one.why, one.suggested.as_deref(), one.because.as_deref().unwrap_or_default()))
            .collect();
        let expected = [
            ("RoleBinding apps/stranger", "UnknownUser", None, "it names a user who is nobody known"),
            (
                "Secret apps/nobodys-token",
                "AccountUnowned",
                None,
                "it is a token of ServiceAccount apps/nobodys, and ends with it",
            ),
            ("ServiceAccount apps/gone", "UnknownOwner", None, ""),
            ("ServiceAccount apps/labelled", "NoOwner", Some("id:hq/8"), "a label of the account"),
            ("ServiceAccount apps/nobodys", "NoOwner", None, ""),
            ("ServiceAccount web/disputed", "NoOwner", None, "sources name more than one person"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(what, why, owner, because)| ((*what).to_owned(), *why, *owner, *because)).collect();
        assert_eq!(rows, expected);
        assert!(!serde_json::to_string(&found).unwrap().contains("example.com"), "HR ids stand for people");
    }
}
