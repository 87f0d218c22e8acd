//! Coverage: which ServiceAccounts and users of bindings are somebody's, and which are nobody's. Pure.

use std::collections::BTreeSet;

use super::owned::{ObjectKey, OwnedKeys};
use crate::api::condition::{self, ConditionUpdate};
use crate::api::policy::Coverage;
use crate::kube::usernames::Form;
use domain::ownership::{Index, Owners};
use domain::plan::reach::is_system;

/// Most unowned accounts, and bindings of strangers, that are named.
const EXAMPLES: usize = 20;

/// Counts accounts by what their marks resolve to, and users of bindings by whether they are people. `default` accounts,
/// and those of Kubernetes and Rollcall themselves, are nobody's and not counted. `namespace` is the operator's; `forms`
/// are what the policy's user names look like.
#[must_use]
pub fn coverage(seen: &OwnedKeys, people: &Index, forms: &[Form], namespace: &str) -> Coverage {
    let own = [namespace.to_owned(), format!("{namespace}-revoker")];
    let mut coverage = Coverage::default();
    for (place, mark) in &seen.accounts {
        if place.name == "default" || is_system(&place.namespace, &own) {
            continue;
        }
        match mark.as_ref().map_or(Owners::Nobody, |mark| people.resolve(mark)) {
            Owners::One(_) => coverage.owned += 1,
            Owners::Several => coverage.ambiguous += 1,
            Owners::Nobody => {
                coverage.unowned += 1;
                coverage.examples.push(format!("{}/{}", place.namespace, place.name));
            }
        }
    }
    coverage.examples.sort();
    coverage.examples.truncate(EXAMPLES);
    let known = |user: &str| people.user(user) != Owners::Nobody;
    let stranger = |user: &str| !known(user) && forms.iter().any(|form| form.fits(user));
    let users = users(seen);
    coverage.users = count(users.iter().filter(|user| known(user)));
    coverage.unknown_users = count(users.iter().filter(|user| stranger(user)));
    let of_strangers = seen.bindings.iter().filter(|(_, users)| users.iter().any(|user| stranger(user)));
    coverage.strangers = of_strangers.take(EXAMPLES).map(|(place, _)| shown(place)).collect();
    coverage
}

/// What is said of the user names of a policy: nothing where it has none, or where no binding names a user.
#[must_use]
pub fn of_user_names(seen: &OwnedKeys, coverage: &Coverage, forms: &[Form]) -> Option<ConditionUpdate> {
    let bound = count(users(seen).iter());
    if forms.is_empty() || bound == 0 {
        return None;
    }
    Some(match coverage.users {
        0 => condition::nobody_matched(bound),
        users => condition::user_names_matched(users, coverage.unknown_users),
    })
}

fn users(seen: &OwnedKeys) -> BTreeSet<&str> {
    seen.bindings.values().flatten().map(String::as_str).collect()
}

fn count<'a>(users: impl Iterator<Item = &'a &'a str>) -> u32 {
    u32::try_from(users.count()).unwrap_or(u32::MAX)
}

/// Longest name of a binding that the schema takes; the API server itself takes longer ones.
const MAX_LENGTH: usize = 340;

/// A binding, without the people it names. A longer name ends in `…`.
fn shown(place: &ObjectKey) -> String {
    let whole = match place.namespace.as_str() {
        "" => format!("{} {}", place.kind, place.name),
        namespace => format!("{} {namespace}/{}", place.kind, place.name),
    };
    if whole.chars().count() <= MAX_LENGTH {
        return whole;
    }
    whole.chars().take(MAX_LENGTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::usernames::Usernames;
    use domain::ownership::PersonFacts;

    fn accounts(accounts: &[(&str, &str, Option<&str>)]) -> OwnedKeys {
        let accounts = accounts.iter().map(|(namespace, name, mark)| {
            let place = ObjectKey { kind: "ServiceAccount", namespace: (*namespace).into(), name: (*name).into() };
            (place, mark.map(str::to_owned))
        });
        OwnedKeys { accounts: accounts.collect(), ..OwnedKeys::default() }
    }

    /// Users that bindings name, by namespace.
    type Bound<'a> = &'a [(&'a str, &'a [&'a str])];

    fn bindings(bindings: Bound<'_>) -> OwnedKeys {
        let bindings = bindings.iter().map(|(namespace, users)| {
            let kind = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
            let place = ObjectKey { kind, namespace: (*namespace).into(), name: "admins".into() };
            (place, users.iter().map(|user| (*user).to_owned()).collect())
        });
        OwnedKeys { bindings: bindings.collect(), ..OwnedKeys::default() }
    }

    fn forms() -> Vec<Form> {
        Usernames::compile(&["'oidc:' + person.workEmail".to_owned()]).unwrap().forms(&["hq".to_owned()])
    }

    fn person(id: &str, address: &str) -> PersonFacts {
        PersonFacts {
            name: format!("p-{id}"),
            uid: id.into(),
            records: vec![("hq".into(), id.into())],
            apart: Vec::new(),
            disputed: Box::default(),
            aliases: vec![format!("email:{address}"), format!("user:oidc:{address}")],
            address: None,
            left: None,
        }
    }

    #[test]
    fn a_binding_with_a_name_longer_than_the_schema_takes_is_shown_cut() {
        for (name, expected) in [("x".repeat(300), 312), ("x".repeat(1024), MAX_LENGTH), ("ü".repeat(1024), MAX_LENGTH)]
        {
            let place = ObjectKey { kind: "RoleBinding", namespace: String::new(), name };
            assert_eq!(shown(&place).chars().count(), expected);
        }
    }

    #[test]
    fn every_account_is_owned_ambiguous_or_named_as_nobodys() {
        let people = Index::new(vec![
            person("1", "ada@example.com"),
            person("2", "it@example.com"),
            person("3", "it@example.com"),
        ]);
        let seen = accounts(&[
            ("team", "ada", Some("id:hq/1")),
            ("team", "shared", Some("it@example.com")),
            ("team", "stray", Some("id:hq/99")),
            ("team", "bare", None),
            ("team", "default", None),
            ("kube-system", "job-controller", None),
            ("rollcall", "rollcall-sync", None),
            ("rollcall-revoker", "rollcall-revoke", None),
        ]);
        let examples = vec!["team/bare".into(), "team/stray".into()];
        let expected = Coverage { owned: 1, ambiguous: 1, unowned: 2, examples, ..Coverage::default() };
        assert_eq!(coverage(&seen, &people, &[], "rollcall"), expected);
    }

    #[test]
    fn the_first_twenty_unowned_are_named() {
        let names: Vec<_> = (0..30).map(|number| format!("a{number:02}")).collect();
        let bare: Vec<_> = names.iter().map(|name| ("team", name.as_str(), None)).collect();
        let coverage = coverage(&accounts(&bare), &Index::default(), &[], "rollcall");
        assert_eq!((coverage.unowned, coverage.examples.len()), (30, 20));
        assert_eq!(coverage.examples.first().map(String::as_str), Some("team/a00"));
    }

    #[test]
    fn user_names_that_match_nobody_who_is_bound_are_seen_from_the_first_day() {
        let people = Index::new(vec![person("1", "Ada@Example.com"), person("2", "ben@example.com")]);
        let cases: [(&str, Bound<'_>, _); 6] = [
            ("no binding names a user", &[], None),
            ("another prefix", &[("", &["https://idp#ada@example.com"])], Some(condition::nobody_matched(1))),
            ("nobody known", &[("a", &["oidc:eve@example.com"])], Some(condition::nobody_matched(1))),
            (
                "another case",
                &[("a", &["oidc:ada@example.com"]), ("b", &["oidc:ada@example.com"])],
                Some(condition::user_names_matched(1, 0)),
            ),
            (
                "one known, one not",
                &[("a", &["oidc:ben@example.com", "oidc:eve@example.com"])],
                Some(condition::user_names_matched(1, 1)),
            ),
            (
                "names of another form are somebody else's business",
                &[("a", &["oidc:ben@example.com", "break-glass"])],
                Some(condition::user_names_matched(1, 0)),
            ),
        ];
        for (what, of, expected) in cases {
            let seen = bindings(of);
            let coverage = coverage(&seen, &people, &forms(), "rollcall");
            assert_eq!(of_user_names(&seen, &coverage, &forms()), expected, "{what}");
            assert_eq!(of_user_names(&seen, &coverage, &[]), None, "{what}: a policy without user names");
        }
    }

    #[test]
    fn a_binding_of_a_stranger_is_named_and_the_stranger_is_not() {
        let seen = bindings(&[("team", &["oidc:eve@example.com"]), ("", &["oidc:eve@example.com"])]);
        let coverage = coverage(&seen, &Index::default(), &forms(), "rollcall");
        assert_eq!(coverage.strangers, ["ClusterRoleBinding admins", "RoleBinding team/admins"]);
        assert_eq!((coverage.users, coverage.unknown_users), (0, 1));
    }
}
