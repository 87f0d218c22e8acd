use proptest::prelude::*;

use super::*;

const WHOSE: Whose<'static> = Whose { people: "rollcall", policy: "everyone" };

fn rule() -> Rule {
    Rule {
        name: "deployers".into(),
        when: "true".into(),
        role: Role::Cluster("edit".into()),
        namespaces: vec!["apps".into(), "tools".into()],
        on_leave: OnLeave::Keep,
    }
}

fn facts(state: State) -> Facts {
    Facts { person: "p-7".into(), state, released: false, held: false, users: Some(vec!["oidc:seven".into()]) }
}

fn standing(namespace: &str, name: &str, person: &str) -> Standing {
    Standing {
        namespace: namespace.into(),
        name: name.into(),
        uid: format!("uid-{namespace}-{name}"),
        rule: "deployers".into(),
        person: person.into(),
    }
}

fn made(grant: &Grant) -> Standing {
    standing(&grant.namespace, &grant.name, &grant.person)
}

fn decided(rule: &Rule, wishes: &[(&str, Wish)], standing: &[Standing]) -> Outcome {
    decide(WHOSE, rule, wishes, Cluster { standing, others: &BTreeSet::new() }, 1_000, &[])
}

fn wanted() -> Wish {
    Wish::Wanted(vec!["oidc:seven".into()])
}

#[test]
fn a_binding_is_for_who_works_here_beyond_doubt_and_stays_while_that_cannot_be_told() {
    use State::{Active, Leave, OutOfScope, PreHire, Suspended, Terminated, Unknown};
    let stays = Wish::Stays;
    let left = Facts { released: true, ..facts(Terminated) };
    let cases = [
        ("works here", facts(Active), Some(true), OnLeave::Keep, wanted()),
        ("moved away", facts(Active), Some(false), OnLeave::Keep, Wish::Unwanted),
        ("the expression fails", facts(Active), None, OnLeave::Remove, stays(Waits::CannotTell)),
        ("held", Facts { held: true, ..facts(Active) }, Some(true), OnLeave::Keep, stays(Waits::Hold)),
        ("held, and moved", Facts { held: true, ..facts(Active) }, Some(false), OnLeave::Keep, stays(Waits::Hold)),
        ("in doubt", Facts { users: None, ..facts(Active) }, Some(true), OnLeave::Keep, stays(Waits::Doubt)),
        (
            "without a user name",
            Facts { users: Some(vec![]), ..facts(Active) },
            Some(true),
            OnLeave::Keep,
            stays(Waits::NoUserName),
        ),
        ("on leave", facts(Leave), Some(true), OnLeave::Keep, stays(Waits::OnLeave)),
        ("on leave, and the rule takes it", facts(Leave), Some(true), OnLeave::Remove, Wish::Unwanted),
        ("suspended, and the rule takes it", facts(Suspended), Some(true), OnLeave::Remove, Wish::Unwanted),
        ("starts later", facts(PreHire), Some(true), OnLeave::Remove, stays(Waits::State)),
        ("out of scope", facts(OutOfScope), Some(false), OnLeave::Remove, stays(Waits::State)),
        ("cannot be told", facts(Unknown), Some(false), OnLeave::Remove, stays(Waits::State)),
        ("left, and held by a gate", facts(Terminated), Some(false), OnLeave::Remove, stays(Waits::NotReleased)),
        ("left", left.clone(), Some(true), OnLeave::Keep, Wish::Gone),
        ("left, and held by a human", Facts { held: true, ..left }, Some(true), OnLeave::Keep, stays(Waits::Hold)),
    ];
    for (what, facts, when, on_leave, expected) in cases {
        assert_eq!(wish(&facts, when, on_leave), expected, "{what}");
    }
}

#[test]
fn what_is_wanted_is_made_once_in_each_namespace_and_goes_with_a_move_or_an_exit() {
    let first = decided(&rule(), &[("p-7", wanted())], &[]);
    assert_eq!(first.make.iter().map(|grant| grant.namespace.as_str()).collect::<Vec<_>>(), ["apps", "tools"]);
    let stands: Vec<_> = first.make.iter().map(made).collect();
    let again = decided(&rule(), &[("p-7", wanted())], &stands);
    assert_eq!((again.make.len(), again.remove.len(), &again.keep), (0, 0, &stands));
    for (what, wish, removed) in [
        ("moved away", Wish::Unwanted, 2),
        ("left", Wish::Gone, 2),
        ("cannot be told", Wish::Stays(Waits::CannotTell), 0),
    ] {
        let outcome = decided(&rule(), &[("p-7", wish)], &stands);
        assert_eq!((outcome.make.len(), outcome.remove.len(), outcome.keep.len()), (0, removed, 2 - removed), "{what}");
    }
    let gone = decided(&rule(), &[], &stands);
    assert_eq!((gone.remove.len(), gone.keep), (0, stands.clone()), "the Person is gone: nobody can tell");

    let fewer = Rule { namespaces: vec!["apps".into()], ..rule() };
    assert_eq!(decided(&fewer, &[("p-7", wanted())], &stands).remove, [stands[1].clone()]);
    let other_user = decided(&rule(), &[("p-7", Wish::Wanted(vec!["oidc:7".into()]))], &stands);
    assert_eq!(
        (other_user.make.len(), other_user.remove),
        (2, stands.clone()),
        "neither subjects nor role can be changed"
    );
    let other_role = Rule { role: Role::Namespaced("edit".into()), ..rule() };
    assert_eq!(decided(&other_role, &[("p-7", wanted())], &stands).make.len(), 2);
}

#[test]
fn a_name_that_another_binding_has_is_left_to_it() {
    let first = decided(&rule(), &[("p-7", wanted())], &[]).make.remove(0);
    let others = BTreeSet::from([(first.namespace.clone(), first.name.clone())]);
    let cluster = Cluster { standing: &[], others: &others };
    let outcome = decide(WHOSE, &rule(), &[("p-7", wanted())], cluster, 1_000, &[]);
    assert_eq!((outcome.taken, outcome.make.len()), (vec![first], 1));
}

#[test]
fn two_installations_policies_rules_and_people_never_share_a_name() {
    let of =
        |whose, rule: &Rule, person| name(whose, &rule.name, rule.role.parts(), person, &["oidc:seven".to_owned()]);
    let names = BTreeSet::from([
        of(WHOSE, &rule(), "p-7"),
        of(Whose { people: "other", ..WHOSE }, &rule(), "p-7"),
        of(Whose { policy: "other", ..WHOSE }, &rule(), "p-7"),
        of(WHOSE, &Rule { name: "other".into(), ..rule() }, "p-7"),
        of(WHOSE, &rule(), "p-8"),
    ]);
    assert_eq!(names.len(), 5);
}

#[test]
fn many_at_once_wait_for_a_human_who_names_exactly_them_and_leavers_do_not() {
    let names: Vec<String> = (0..40).map(|number| format!("p-{number}")).collect();
    let wishes = |wish: &dyn Fn(usize) -> Wish| -> Vec<(&str, Wish)> {
        names.iter().enumerate().map(|(number, name)| (name.as_str(), wish(number))).collect()
    };
    let all = wishes(&|number| Wish::Wanted(vec![format!("oidc:{number}")]));
    let none = BTreeSet::new();
    let decide = |wishes: &[(&str, Wish)], standing: &[Standing], approved: &[&str]| {
        decide(WHOSE, &rule(), wishes, Cluster { standing, others: &none }, 100, approved)
    };
    let typo = decide(&all, &[], &[]);
    let held = typo.held.expect("forty of a hundred");
    assert_eq!((held.get, held.lose, typo.make.len()), (40, 0, 0));
    assert!(decide(&all, &[], &["another"]).held.is_some());
    let approved = decide(&all, &[], &[&held.digest]);
    assert_eq!((approved.held, approved.make.len()), (None, 80));
    let half: Vec<_> = approved.make.iter().take(40).map(made).collect();
    assert_eq!(decide(&all, &half, &[&held.digest]).make.len(), 40, "a crash half-way does not ask again");
    let more = [all.clone(), vec![("p-new", wanted())]].concat();
    assert!(decide(&more, &[], &[&held.digest]).held.is_some(), "what was approved is what was shown");

    let stands: Vec<_> = approved.make.iter().map(made).collect();
    let shifted = wishes(&|number| if number < 30 { Wish::Unwanted } else { Wish::Gone });
    let outcome = decide(&shifted, &stands, &[]);
    let held = outcome.held.expect("thirty lose it");
    assert_eq!((held.lose, outcome.remove.len()), (30, 20), "who left goes all the same");
    let few = wishes(&|number| if number < 9 { Wish::Unwanted } else { Wish::Wanted(vec![format!("oidc:{number}")]) });
    assert_eq!(decide(&few, &stands, &[]).held, None);
}

fn any_wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        Just(wanted()),
        Just(Wish::Wanted(vec!["oidc:other".into()])),
        Just(Wish::Unwanted),
        Just(Wish::Gone),
        Just(Wish::Stays(Waits::State)),
    ]
}

proptest! {
    #[test]
    fn nothing_is_made_but_what_is_wanted_nothing_removed_but_what_is_ours_and_a_second_look_changes_nothing(
        wishes in proptest::collection::btree_map(0_u32..30, any_wish(), 0..30),
        before in proptest::collection::btree_map(0_u32..30, any_wish(), 0..30),
        working in 0_usize..200,
    ) {
        let of = |wishes: &BTreeMap<u32, Wish>| -> Vec<(String, Wish)> {
            wishes.iter().map(|(id, wish)| (format!("p-{id}"), wish.clone())).collect()
        };
        let (wishes, before) = (of(&wishes), of(&before));
        let wishes: Vec<(&str, Wish)> = wishes.iter().map(|(name, wish)| (name.as_str(), wish.clone())).collect();
        let before: Vec<(&str, Wish)> = before.iter().map(|(name, wish)| (name.as_str(), wish.clone())).collect();
        let mut stands: Vec<Standing> = decided(&rule(), &before, &[]).make.iter().map(made).collect();
        let none = BTreeSet::new();
        let outcome = decide(WHOSE, &rule(), &wishes, Cluster { standing: &stands, others: &none }, working, &[]);
        for grant in &outcome.make {
            let wish = wishes.iter().find(|(person, _)| *person == grant.person).map(|(_, wish)| wish);
            prop_assert!(matches!(wish, Some(Wish::Wanted(users)) if *users == grant.users));
        }
        prop_assert!(outcome.remove.iter().all(|removed| stands.contains(removed)));
        prop_assert!(outcome.remove.iter().all(|removed| !outcome.keep.contains(removed)));
        prop_assert_eq!(outcome.remove.len() + outcome.keep.len(), stands.len());
        stands.retain(|standing| !outcome.remove.contains(standing));
        stands.extend(outcome.make.iter().map(made));
        let again = decide(WHOSE, &rule(), &wishes, Cluster { standing: &stands, others: &none }, working, &[]);
        prop_assert!(again.make.is_empty() && again.remove.is_empty());
    }
}

#[test]
fn another_role_or_other_user_names_for_many_wait_for_a_human_and_one_more_namespace_does_not() {
    let people: Vec<String> = (0..60).map(|n| format!("p-{n}")).collect();
    let wishes = |suffix: &str| -> Vec<(&str, Wish)> {
        people.iter().map(|name| (name.as_str(), Wish::Wanted(vec![format!("oidc:{name}{suffix}")]))).collect()
    };
    let stands: Vec<_> = people
        .iter()
        .flat_map(|name| of_person(WHOSE, &rule(), name, &[format!("oidc:{name}")]))
        .map(|grant| made(&grant))
        .collect();
    let held =
        |rule: &Rule, wishes: &[(&str, Wish)]| decided(rule, wishes, &stands).held.map(|held| (held.get, held.lose));
    assert_eq!(held(&rule(), &wishes("")), None);
    let admin = Rule { role: Role::Cluster("admin".into()), ..rule() };
    assert_eq!(held(&admin, &wishes("")), Some((60, 60)), "another role");
    assert_eq!(held(&rule(), &wishes("@example.com")), Some((60, 60)), "other user names");
    let fewer = Rule { namespaces: vec!["apps".into()], ..rule() };
    assert_eq!(held(&fewer, &wishes("")), Some((0, 60)), "a namespace less");
    let more = Rule { namespaces: vec!["apps".into(), "tools".into(), "more".into()], ..rule() };
    assert_eq!(
        held(&more, &wishes("")),
        None,
        "one more: where nothing may be bound there, it would be asked for ever"
    );
}
