//! What is taken out of a binding that others share: the leaver's own user names, and nothing else. The plan draws by it, and both
//! who records the step and who does it ask it again of what they have just read.

use std::collections::BTreeSet;

use super::{Binding, ClusterInventory, Protected, RemainingReason, Subject, reach};
use crate::frozen;
use crate::ownership::{Claim, Index, PersonFacts};

/// The user names that are to leave a shared binding, or why it is left alone.
///
/// Groups are never touched: who is in one is the identity provider's to say. Nor are accounts: one of the leaver's own ends by
/// itself. A name that somebody who works here may have too stays, and at least one subject stays: an empty binding would be a
/// deletion.
///
/// # Errors
/// Why the binding is left alone. Where nobody consented to this, it is a shared binding like any other.
pub fn leaving(
    binding: &Binding,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Result<BTreeSet<String>, RemainingReason> {
    let consent = world.consents.get(&binding.namespace).copied().unwrap_or_default();
    if !(consent.accounts && consent.trim) {
        return Err(RemainingReason::SharedBinding);
    }
    let (mut leaving, mut others) = (BTreeSet::new(), false);
    for subject in &binding.subjects {
        match subject {
            Subject::User(name) if !name.starts_with(reach::SYSTEM_NAME) => match index.user_claim(name, person) {
                Claim::Theirs => {
                    leaving.insert(name.clone());
                }
                Claim::WorksHere => return Err(RemainingReason::WorksHere),
                Claim::Ambiguous | Claim::NotTheirs => others = true,
            },
            Subject::User(_) | Subject::Account { .. } | Subject::Other => others = true,
        }
    }
    if leaving.is_empty() || !others {
        return Err(RemainingReason::SharedBinding);
    }
    if reach::another_is_protected(person, index, protected) {
        return Err(RemainingReason::Protected);
    }
    if let Some(reason) = reach::place(&binding.namespace, &binding.name, binding.break_glass, world, protected) {
        return Err(reason);
    }
    if leaving.iter().all(|name| frozen::fits(name)) { Ok(leaving) } else { Err(RemainingReason::NameTooLong) }
}

/// How a subject that may be taken out of a binding is written on the list that the admission policy reads: the policy puts the
/// same text together from the binding's uid and the subject's name.
#[must_use]
pub fn key(uid: &str, user: &str) -> String {
    format!("{uid} {user}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Action, Consent, Kind, Operation, Plan, cut, hash};
    use super::*;
    use crate::ownership::tests::person;

    fn left(id: &str) -> PersonFacts {
        PersonFacts { left: Some(jiff::Timestamp::UNIX_EPOCH), ..person(id) }
    }

    fn user(id: &str) -> Subject {
        Subject::User(format!("oidc:{id}@example.com"))
    }

    fn account(name: &str) -> Subject {
        Subject::Account { namespace: "team-a".into(), name: name.into() }
    }

    fn binding(subjects: Vec<Subject>) -> Binding {
        Binding {
            kind: Kind::RoleBinding,
            namespace: "team-a".into(),
            name: "shared".into(),
            uid: "uid-shared".into(),
            subjects,
            break_glass: false,
        }
    }

    fn world(trim: bool) -> ClusterInventory {
        ClusterInventory {
            consents: BTreeMap::from([("team-a".into(), Consent { accounts: true, trim, ..Consent::default() })]),
            consumers: BTreeMap::from([("team-a".into(), BTreeSet::new())]),
            own_namespaces: vec!["rollcall".into()],
            ..ClusterInventory::default()
        }
    }

    /// Ada left. Ben works here, and once had the user name of `both`, as Ada had. Eve left, and works here by another record.
    fn everybody() -> Index {
        let with = |mut one: PersonFacts, alias: &str| {
            one.aliases.push(format!("user:{alias}"));
            one
        };
        let ada = with(with(left("ada"), "oidc:both@example.com"), "oidc:ada.old@example.com");
        let again = PersonFacts { address: Some("eve@example.com".into()), ..person("eve-again") };
        let eve = PersonFacts { address: Some("eve@example.com".into()), ..left("eve") };
        Index::new(vec![ada, with(person("ben"), "oidc:both@example.com"), eve, again])
    }

    fn of(who: &str, binding: &Binding, trim: bool) -> Result<Vec<String>, RemainingReason> {
        let index = everybody();
        let who = index.person(&format!("p-{who}")).unwrap().clone();
        leaving(binding, &who, &index, &world(trim), &Protected::default()).map(|names| names.into_iter().collect())
    }

    #[test]
    fn only_the_leavers_own_user_names_leave_and_somebody_stays() {
        use RemainingReason::{SharedBinding, WorksHere};
        let ada = || Ok(vec!["oidc:ada@example.com".to_owned()]);
        let both = Ok(vec!["oidc:ada.old@example.com".to_owned(), "oidc:ada@example.com".to_owned()]);
        let spelled = Ok(vec!["oidc:Ada@example.com".to_owned()]);
        let cases = [
            ("a colleague stays", "ada", vec![user("ada"), user("ben")], ada()),
            ("somebody nobody knows stays", "ada", vec![user("stranger"), user("ada")], ada()),
            ("a group stays", "ada", vec![user("ada"), Subject::Other], ada()),
            ("her account stays", "ada", vec![user("ada"), account("laptop")], ada()),
            ("every name she had", "ada", vec![user("ada"), user("ada.old"), user("ben")], both),
            (
                "as the binding spells it",
                "ada",
                vec![Subject::User("oidc:Ada@example.com".into()), user("ben")],
                spelled,
            ),
            ("a name that Ben may have too stays", "ada", vec![user("ada"), user("both"), Subject::Other], ada()),
            ("that name alone", "ada", vec![user("both"), user("ben")], Err(SharedBinding)),
            ("nobody else", "ada", vec![user("ada"), user("ada.old")], Err(SharedBinding)),
            ("not her at all", "ada", vec![user("ben"), account("laptop")], Err(SharedBinding)),
            (
                "a user of the system stays",
                "ada",
                vec![user("ada"), Subject::User("system:kube-scheduler".into())],
                ada(),
            ),
            ("who works here by another record", "eve", vec![user("eve"), user("ben")], Err(WorksHere)),
        ];
        for (what, who, subjects, expected) in cases {
            let binding = binding(subjects);
            assert_eq!(of(who, &binding, true), expected, "{what}");
            assert_eq!(of(who, &binding, false), Err(SharedBinding), "{what}, without consent");
        }
    }

    #[test]
    fn a_shared_binding_is_left_alone_where_nothing_else_is_touched() {
        let index = everybody();
        let ada = index.person("p-ada").unwrap().clone();
        let shared = || binding(vec![user("ada"), user("ben")]);
        let glass = Binding { break_glass: true, ..shared() };
        let system = Binding { name: "system:shared".into(), ..shared() };
        let long = binding(vec![user(&"a".repeat(600)), user("ben")]);
        let mut with_long = person("long");
        with_long.aliases.push(format!("user:oidc:{}@example.com", "a".repeat(600)));
        let of = |person: &PersonFacts, binding: &Binding, protected: &Protected| {
            let index = Index::new(vec![person.clone()]);
            leaving(binding, person, &index, &world(true), protected).err()
        };
        let namespace = Protected { namespaces: ["team-a".to_owned()].into(), ..Protected::default() };
        let none = Protected::default();
        for (what, person, binding, protected, expected) in [
            ("break-glass", &ada, &glass, &none, RemainingReason::Protected),
            ("a protected namespace", &ada, &shared(), &namespace, RemainingReason::Protected),
            ("a name of the system", &ada, &system, &none, RemainingReason::SystemNamespace),
            ("a name that no list takes", &with_long, &long, &none, RemainingReason::NameTooLong),
        ] {
            assert_eq!(of(person, binding, protected), Some(expected), "{what}");
        }
        let mut kube = shared();
        kube.namespace = "kube-system".into();
        assert_eq!(of(&ada, &kube, &none), Some(RemainingReason::SharedBinding), "the system never consents");
    }

    #[test]
    fn with_the_consent_a_shared_binding_is_a_target_that_is_hashed_and_without_it_remains() {
        let index = everybody();
        let ada = index.person("p-ada").unwrap().clone();
        let draw = |trim: bool| -> Plan {
            let world = ClusterInventory { bindings: vec![binding(vec![user("ada"), user("ben")])], ..world(trim) };
            cut(&ada, "rule", &index, &world, &Protected::default())
        };
        let (with, without) = (draw(true), draw(false));
        let acts: Vec<_> = with.targets.iter().map(|target| (target.action, target.uid.as_str())).collect();
        assert_eq!((acts, with.remaining.len()), (vec![(Action::Trim, "uid-shared")], 0));
        assert_eq!(without.targets, []);
        assert_eq!(without.remaining[0].why, RemainingReason::SharedBinding);
        let unbound: Vec<_> = with
            .targets
            .iter()
            .cloned()
            .map(|target| super::super::Target { action: Action::Unbind, ..target })
            .collect();
        assert_ne!(hash(&ada.uid, "rule", Operation::Cut, &unbound), with.hash, "what is done is hashed");
    }
}
