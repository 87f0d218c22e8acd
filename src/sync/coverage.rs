//! Coverage: which ServiceAccounts somebody owns, and which nobody does. Pure.

use kube::api::ObjectMeta;

use crate::api::names;
use crate::api::policy::Coverage;
use domain::ownership::{Index, Owners};
use domain::plan::reach::is_system;

/// Most unowned accounts that are named.
const EXAMPLES: usize = 20;

/// Counts accounts by what their marks resolve to. `default` accounts, and those of Kubernetes and Rollcall themselves,
/// are nobody's and not counted. `namespace` is the operator's.
pub fn coverage<'a>(accounts: impl Iterator<Item = &'a ObjectMeta>, people: &Index, namespace: &str) -> Coverage {
    let own = [namespace.to_owned(), format!("{namespace}-revoker")];
    let mut coverage = Coverage::default();
    for account in accounts {
        let place = account.namespace.as_deref().unwrap_or_default();
        let name = account.name.as_deref().unwrap_or_default();
        if name == "default" || is_system(place, &own) {
            continue;
        }
        let mark = account.annotations.as_ref().and_then(|annotations| annotations.get(names::OWNER));
        match mark.map_or(Owners::Nobody, |mark| people.resolve(mark)) {
            Owners::One(_) => coverage.owned += 1,
            Owners::Several => coverage.ambiguous += 1,
            Owners::Nobody => {
                coverage.unowned += 1;
                coverage.examples.push(format!("{place}/{name}"));
            }
        }
    }
    coverage.examples.sort();
    coverage.examples.truncate(EXAMPLES);
    coverage
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ownership::PersonFacts;

    fn account(namespace: &str, name: &str, mark: Option<&str>) -> ObjectMeta {
        ObjectMeta {
            namespace: Some(namespace.into()),
            name: Some(name.into()),
            annotations: mark.map(|mark| [(names::OWNER.to_owned(), mark.to_owned())].into()),
            ..ObjectMeta::default()
        }
    }

    fn person(id: &str, address: &str) -> PersonFacts {
        PersonFacts {
            name: format!("p-{id}"),
            uid: id.into(),
            records: vec![("hq".into(), id.into())],
            aliases: vec![format!("email:{address}")],
            employed: true,
        }
    }

    #[test]
    fn every_account_is_owned_ambiguous_or_named_as_nobodys() {
        let people = Index::new(vec![
            person("1", "ada@example.com"),
            person("2", "it@example.com"),
            person("3", "it@example.com"),
        ]);
        let accounts = [
            account("team", "ada", Some("id:hq/1")),
            account("team", "shared", Some("it@example.com")),
            account("team", "stray", Some("id:hq/99")),
            account("team", "bare", None),
            account("team", "default", None),
            account("kube-system", "job-controller", None),
            account("rollcall", "rollcall-sync", None),
            account("rollcall-revoker", "rollcall-revoke", None),
        ];
        let expected =
            Coverage { owned: 1, ambiguous: 1, unowned: 2, examples: vec!["team/bare".into(), "team/stray".into()] };
        assert_eq!(coverage(accounts.iter(), &people, "rollcall"), expected);
    }

    #[test]
    fn the_first_twenty_unowned_are_named() {
        let accounts: Vec<_> = (0..30).rev().map(|number| account("team", &format!("a{number:02}"), None)).collect();
        let coverage = coverage(accounts.iter(), &Index::default(), "rollcall");
        assert_eq!((coverage.unowned, coverage.examples.len()), (30, 20));
        assert_eq!(coverage.examples.first().map(String::as_str), Some("team/a00"));
    }
}
