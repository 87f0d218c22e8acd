//! Roles and bindings as plain values, for what somebody may read: see `domain::rbac`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::api::ObjectMeta;

use domain::ownership::{Claim, Index, PersonFacts, comparable};
use domain::plan::Account;
use domain::rbac::{Rbac, RoleBound, RoleName, Rule, Who};

/// The rules of roles, by their names.
#[must_use]
pub fn roles(roles: &[Role], cluster_roles: &[ClusterRole]) -> BTreeMap<RoleName, Vec<Rule>> {
    let place = |meta: &ObjectMeta| (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    let rules = |rules: &Option<Vec<PolicyRule>>| rules.iter().flatten().map(rule).collect::<Vec<_>>();
    let roles = roles.iter().map(|role| (place(&role.metadata), rules(&role.rules)));
    let cluster_roles = cluster_roles.iter().map(|role| (place(&role.metadata), rules(&role.rules)));
    roles.chain(cluster_roles).collect()
}

fn rule(rule: &PolicyRule) -> Rule {
    let all = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
    Rule {
        verbs: rule.verbs.clone(),
        groups: all(&rule.api_groups),
        resources: all(&rule.resources),
        names: all(&rule.resource_names),
    }
}

/// Who is bound to what.
#[must_use]
pub fn bindings(role_bindings: &[RoleBinding], cluster_bindings: &[ClusterRoleBinding]) -> Vec<RoleBound> {
    let namespaced =
        role_bindings.iter().filter_map(|one| bound(&one.metadata, &one.role_ref, one.subjects.as_deref()));
    let all = cluster_bindings.iter().filter_map(|one| bound(&one.metadata, &one.role_ref, one.subjects.as_deref()));
    namespaced.chain(all).collect()
}

fn bound(meta: &ObjectMeta, role: &RoleRef, subjects: Option<&[Subject]>) -> Option<RoleBound> {
    let namespace = meta.namespace.clone().unwrap_or_default();
    let of_role = if role.kind == "Role" { namespace.clone() } else { String::new() };
    let subjects = subjects.unwrap_or_default().iter().filter_map(|subject| who(subject, &namespace)).collect();
    Some(RoleBound { name: meta.name.clone()?, role: (of_role, role.name.clone()), subjects, namespace })
}

/// A subject; the user name that stands for an account is that account.
fn who(subject: &Subject, namespace: &str) -> Option<Who> {
    match subject.kind.as_str() {
        "Group" => Some(Who::Group(subject.name.clone())),
        "User" => Some(user(&subject.name)),
        "ServiceAccount" => Some(Who::Account {
            namespace: subject.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
            name: subject.name.clone(),
        }),
        _ => None,
    }
}

/// A user name, or the account that it stands for.
#[must_use]
pub fn user(name: &str) -> Who {
    match name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, name)) => Who::Account { namespace: namespace.to_owned(), name: name.to_owned() },
        None => Who::User(name.to_owned()),
    }
}

/// Everything that somebody is to RBAC, as far as the cluster knows: their user names in bindings, their accounts with the groups of
/// those, and the group of everybody who has signed in.
#[must_use]
pub fn everything_of(person: &PersonFacts, index: &Index, accounts: &[Account], rbac: &Rbac) -> BTreeSet<Who> {
    let mut who = accounts_of(person, index, accounts);
    let groups: BTreeSet<Who> = who.iter().flat_map(groups_of).collect();
    who.extend(groups);
    let users = rbac.bindings.iter().flat_map(|binding| &binding.subjects).filter(|subject| match subject {
        Who::User(name) => index.user_claim(name, person) != Claim::NotTheirs,
        Who::Group(_) | Who::Account { .. } => false,
    });
    who.extend(users.cloned());
    who.insert(Who::Group("system:authenticated".to_owned()));
    who
}

/// Somebody as RBAC knows them by these user names, of which each is theirs alone: also in another case, where a binding names them so.
/// Neither by an account nor by a group.
#[must_use]
pub fn names_of<'a>(
    person: &PersonFacts,
    index: &Index,
    names: impl Iterator<Item = &'a str>,
    rbac: &Rbac,
) -> BTreeSet<Who> {
    let names: BTreeSet<&str> = names.collect();
    let spelled = rbac.bindings.iter().flat_map(|binding| &binding.subjects).filter(|subject| match subject {
        Who::User(name) => {
            let same = names.iter().any(|one| comparable(one) == comparable(name));
            same && index.user_claim(name, person) == Claim::Theirs
        }
        Who::Group(_) | Who::Account { .. } => false,
    });
    spelled.cloned().collect()
}

/// Accounts that their owner annotation makes theirs.
#[must_use]
pub fn accounts_of(person: &PersonFacts, index: &Index, accounts: &[Account]) -> BTreeSet<Who> {
    let theirs = accounts.iter().filter(|account| index.claim(&account.owner, person) != Claim::NotTheirs);
    theirs.map(|one| Who::Account { namespace: one.namespace.clone(), name: one.name.clone() }).collect()
}

/// The groups that an account is in.
fn groups_of(who: &Who) -> Vec<Who> {
    match who {
        Who::Account { namespace, .. } => {
            let own = format!("system:serviceaccounts:{namespace}");
            ["system:serviceaccounts".to_owned(), own].map(Who::Group).into()
        }
        Who::User(_) | Who::Group(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_binding_says_which_role_it_gives_and_an_account_by_its_user_name_is_that_account() {
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": {"name": "b", "namespace": "apps"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [
                {"kind": "User", "name": "oidc:ada@example.com"}, {"kind": "Group", "name": "ops"},
                {"kind": "User", "name": "system:serviceaccount:ci:deploy"}, {"kind": "ServiceAccount", "name": "web"},
                {"kind": "Robot", "name": "r2"},
            ],
        }))
        .unwrap();
        let account = |namespace: &str, name: &str| Who::Account { namespace: namespace.into(), name: name.into() };
        let bound = bindings(&[binding], &[]).remove(0);
        assert_eq!(bound.role, ("apps".to_owned(), "reader".to_owned()));
        let ada = Who::User("oidc:ada@example.com".into());
        assert_eq!(bound.subjects, [ada, Who::Group("ops".into()), account("ci", "deploy"), account("apps", "web")]);
    }

    #[test]
    fn somebody_is_known_by_names_of_their_own_as_bindings_spell_them_and_by_nothing_else() {
        let facts = |id: &str| PersonFacts {
            name: format!("p-{id}"),
            uid: format!("u-{id}"),
            records: vec![("hq".into(), id.into())],
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: vec![format!("user:oidc:{id}@example.com"), "user:oidc:team@example.com".into()],
            address: None,
            left: None,
        };
        let (ada, ben) = (facts("ada"), facts("ben"));
        let user = |name: &str| Who::User(name.to_owned());
        let subjects = vec![
            user("oidc:ada@example.com"),
            user("oidc:Ada@Example.com"),
            user("oidc:ben@example.com"),
            user("oidc:team@example.com"),
            Who::Group("ops".into()),
            Who::Account { namespace: "apps".into(), name: "ada".into() },
        ];
        let bound = RoleBound { namespace: "apps".into(), name: "b".into(), role: Default::default(), subjects };
        let rbac = Rbac { bindings: vec![bound], ..Rbac::default() };
        let index = Index::new(vec![ada.clone(), ben]);
        let of = |names: &[&str]| names_of(&ada, &index, names.iter().copied(), &rbac);
        let both = BTreeSet::from([user("oidc:ada@example.com"), user("oidc:Ada@Example.com")]);
        assert_eq!(of(&["oidc:ada@example.com", "oidc:team@example.com"]), both, "a name that Ben has too is not hers");
        assert_eq!(of(&[]), BTreeSet::new(), "of no name that is frozen");
    }
}
