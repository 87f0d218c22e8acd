//! What somebody may read by RBAC: bindings, the roles they name, and the rules of those, walked without asking the API
//! server, so that the answer names the places and is not only a yes.
//!
//! Says what RBAC gives. Another authorizer may give more, and `system:masters` is asked by none.

use std::collections::{BTreeMap, BTreeSet};

/// Verbs by which contents are read.
const READS: [&str; 3] = ["get", "list", "watch"];

/// One rule of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Verbs, or `*`.
    pub verbs: Vec<String>,
    /// API groups, or `*`; the core group is empty.
    pub groups: Vec<String>,
    /// Resources, or `*`.
    pub resources: Vec<String>,
    /// Names of objects; all of them where there are none.
    pub names: Vec<String>,
}

impl Rule {
    /// Whether it lets one of these be done with this resource, which may be a subresource such as `pods/exec`.
    fn lets(&self, verbs: &[&str], group: &str, resource: &str) -> bool {
        let has = |words: &[String], wanted: &str| words.iter().any(|word| word == "*" || word == wanted);
        let any = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        verbs.iter().any(|verb| has(&self.verbs, verb))
            && has(&self.groups, group)
            && (has(&self.resources, resource) || any.is_some_and(|any| self.resources.contains(&any)))
    }
}

/// Somebody, as RBAC knows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A user name, compared exactly.
    User(String),
    /// A group.
    Group(String),
    /// A ServiceAccount.
    Account {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// A role: its namespace, empty for a ClusterRole, and its name.
pub type RoleName = (String, String);

/// A binding and the role that it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleBound {
    /// Namespace; empty for the whole cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The role.
    pub role: RoleName,
    /// To whom.
    pub subjects: Vec<Who>,
}

/// All roles and bindings. The rules of an aggregated ClusterRole are there as Kubernetes has put them together.
#[derive(Debug, Default)]
pub struct Rbac {
    /// Roles by name.
    pub roles: BTreeMap<RoleName, Vec<Rule>>,
    /// Bindings.
    pub bindings: Vec<RoleBound>,
}

/// Where something may be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// In every namespace.
    pub everywhere: bool,
    /// All of it in these.
    pub namespaces: BTreeSet<String>,
    /// These by name, by their namespace; an empty one stands for every namespace.
    pub named: BTreeSet<(String, String)>,
}

impl Reach {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.everywhere && self.namespaces.is_empty() && self.named.is_empty()
    }

    /// Whether an object of this namespace and name is in reach.
    #[must_use]
    pub fn holds(&self, namespace: &str, name: &str) -> bool {
        let named = |place: &str| self.named.contains(&(place.to_owned(), name.to_owned()));
        self.everywhere || self.namespaces.contains(namespace) || named(namespace) || named("")
    }
}

impl Rbac {
    /// Bindings with one of these as a subject.
    pub fn bindings_of<'a>(&'a self, who: &'a BTreeSet<Who>) -> impl Iterator<Item = &'a RoleBound> {
        self.bindings.iter().filter(move |binding| binding.subjects.iter().any(|subject| who.contains(subject)))
    }

    /// Where somebody who is all of these may read a namespaced resource.
    #[must_use]
    pub fn reads(&self, who: &BTreeSet<Who>, group: &str, resource: &str) -> Reach {
        self.reach(who, &READS, group, resource)
    }

    /// Where somebody who is all of these may do one of these with a namespaced resource.
    #[must_use]
    pub fn reach(&self, who: &BTreeSet<Who>, verbs: &[&str], group: &str, resource: &str) -> Reach {
        let mut reach = Reach::default();
        for binding in self.bindings_of(who) {
            let rules = self.roles.get(&binding.role).into_iter().flatten();
            for rule in rules.filter(|rule| rule.lets(verbs, group, resource)) {
                match (binding.namespace.as_str(), rule.names.is_empty()) {
                    ("", true) => reach.everywhere = true,
                    (namespace, true) => {
                        reach.namespaces.insert(namespace.to_owned());
                    }
                    (namespace, false) => {
                        reach.named.extend(rule.names.iter().map(|name| (namespace.to_owned(), name.clone())));
                    }
                }
            }
        }
        reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]) -> Rule {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Rule { verbs: all(verbs), groups: all(groups), resources: all(resources), names: all(names) }
    }

    fn bound(namespace: &str, role: (&str, &str), subjects: &[Who]) -> RoleBound {
        RoleBound {
            namespace: namespace.into(),
            name: "b".into(),
            role: (role.0.into(), role.1.into()),
            subjects: subjects.to_vec(),
        }
    }

    #[test]
    fn a_rule_lets_secrets_be_read_by_any_of_its_words() {
        for (what, given, expected) in [
            ("by name", rule(&["get"], &[""], &["secrets"], &[]), true),
            ("as a list, which has the contents", rule(&["list"], &[""], &["pods", "secrets"], &[]), true),
            ("as a watch", rule(&["watch"], &[""], &["secrets"], &[]), true),
            ("everything", rule(&["*"], &["*"], &["*"], &[]), true),
            ("only changed", rule(&["create", "delete"], &[""], &["secrets"], &[]), false),
            ("of another group", rule(&["get"], &["apps"], &["secrets"], &[]), false),
            ("another resource", rule(&["get"], &[""], &["configmaps"], &[]), false),
        ] {
            assert_eq!(given.lets(&READS, "", "secrets"), expected, "{what}");
        }
    }

    #[test]
    fn a_subresource_is_reached_by_its_own_name_or_a_word_for_all() {
        for (resource, expected) in [
            ("pods/exec", true),
            ("*", true),
            ("*/exec", true),
            ("pods", false),
            ("pods/*", false),
            ("*/attach", false),
        ] {
            let given = rule(&["create"], &[""], &[resource], &[]);
            assert_eq!(given.lets(&["create", "get"], "", "pods/exec"), expected, "{resource}");
        }
    }

    #[test]
    fn what_may_be_read_is_found_by_user_group_and_account_where_the_binding_stands() {
        let (ada, group) = (Who::User("oidc:ada".into()), Who::Group("ops".into()));
        let account = Who::Account { namespace: "apps".into(), name: "ci".into() };
        let reader = || vec![rule(&["get"], &[""], &["secrets"], &[])];
        let rbac = Rbac {
            roles: [
                ((String::new(), "reader".into()), reader()),
                (("apps".into(), "reader".into()), reader()),
                (("apps".into(), "one".into()), vec![rule(&["get"], &[""], &["secrets"], &["db"])]),
                ((String::new(), "pods".into()), vec![rule(&["get"], &[""], &["pods"], &[])]),
            ]
            .into(),
            bindings: vec![
                bound("apps", ("", "reader"), std::slice::from_ref(&ada)),
                bound("ops", ("", "reader"), std::slice::from_ref(&group)),
                bound("ci", ("", "reader"), std::slice::from_ref(&account)),
                bound("apps", ("apps", "one"), &[account.clone(), Who::User("oidc:ben".into())]),
                bound("", ("", "pods"), std::slice::from_ref(&ada)),
                bound("gone", ("gone", "reader"), std::slice::from_ref(&ada)),
            ],
        };
        let reach = |who: &[&Who]| rbac.reads(&who.iter().map(|who| (*who).clone()).collect(), "", "secrets");
        let places = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(reach(&[&ada]), Reach { namespaces: places(&["apps"]), ..Reach::default() });
        assert_eq!(reach(&[&ada, &group]).namespaces, places(&["apps", "ops"]));
        let by_account = reach(&[&account]);
        assert_eq!(by_account.namespaces, places(&["ci"]));
        assert!(by_account.holds("apps", "db") && !by_account.holds("apps", "other") && by_account.holds("ci", "any"));
        assert!(reach(&[&Who::User("oidc:ADA".into())]).is_nothing(), "RBAC compares exactly");
        let everywhere = Rbac { bindings: vec![bound("", ("", "reader"), std::slice::from_ref(&ada))], ..rbac };
        assert!(everywhere.reads(&[ada].into(), "", "secrets").everywhere);
    }
}
