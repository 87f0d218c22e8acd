use super::*;
use domain::plan::{self, ClusterInventory, Consent, Protected};

fn person(id: &str, aliases: &[&str]) -> PersonFacts {
    PersonFacts {
        name: format!("p-{id}"),
        uid: format!("u-{id}"),
        records: vec![("hq".into(), id.into())],
        apart: Vec::new(),
        disputed: Box::default(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        address: aliases.first().and_then(|alias| Some(alias.strip_prefix("email:")?.to_owned())),
        left: None,
    }
}

fn account(name: &str, owner: &str) -> Since<Account> {
    let object = Account {
        namespace: "apps".into(),
        name: name.into(),
        uid: format!("u-{name}"),
        owner: owner.into(),
        next: domain::handover::Nominated::default(),
        purpose: None,
        break_glass: false,
    };
    Since { object, at: None }
}

fn user(name: &str) -> Subject {
    Subject::User(name.into())
}

fn of_account(name: &str) -> Subject {
    Subject::Account { namespace: "apps".into(), name: name.into() }
}

fn binding(name: &str, subjects: Vec<Subject>) -> Since<Binding> {
    let object = Binding {
        kind: Kind::RoleBinding,
        namespace: "apps".into(),
        name: name.into(),
        uid: format!("u-{name}"),
        subjects,
        break_glass: false,
    };
    Since { object, at: None }
}

fn place(name: &str) -> AccountName {
    ("apps".into(), name.into())
}

fn bound(name: &str) -> Bound {
    (Kind::RoleBinding, "apps".into(), name.into())
}

fn names(names: &[&str]) -> Names {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Ada and Ben, who shared an address once; Eve; Fay, whose contract has ended and whose employment goes on; eleven of one
/// mailbox; accounts and bindings of theirs.
fn everything() -> (Vec<PersonFacts>, Vec<Since<Account>>, Vec<Since<Binding>>) {
    let mut people = vec![
        person("ada", &["email:ada@example.com", "user:oidc:ada", "email:shared@example.com"]),
        person("ben", &["email:ben@example.com", "user:oidc:ben", "email:shared@example.com"]),
        person("eve", &["email:eve@example.com", "user:oidc:eve"]),
        PersonFacts { left: Some(Timestamp::UNIX_EPOCH), ..person("fay", &["email:fay@example.com", "user:oidc:fay"]) },
        person("fay-next", &["email:fay@example.com", "user:fay"]),
    ];
    people.extend((0..11).map(|n| person(&format!("shop{n}"), &["email:shop@example.com"])));
    let accounts = vec![
        account("ada", "id:hq/ada"),
        account("ada-ci", "ada@example.com"),
        account("both", "shared@example.com"),
        account("eve", "user:oidc:eve"),
        account("nobody", "id:other/ada"),
        account("fay", "id:hq/fay"),
        account("fay-next", "id:hq/fay-next"),
        account("fays", "fay@example.com"),
        account("shop", "shop@example.com"),
        account("till", "id:hq/shop3"),
    ];
    let bindings = vec![
        binding("ada-alone", vec![user("oidc:ada")]),
        binding("ada-and-hers", vec![user("oidc:ada"), of_account("ada")]),
        binding("ada-and-eve", vec![user("oidc:ada"), user("oidc:eve")]),
        binding("ada-and-both", vec![user("oidc:ada"), of_account("both")]),
        binding("ci", vec![of_account("ada-ci")]),
        binding("ci-and-eve", vec![of_account("ada-ci"), of_account("eve")]),
        binding("a-group", vec![Subject::Other]),
        binding("fay-both", vec![user("oidc:fay"), user("fay")]),
        binding("fay-and-eve", vec![user("fay"), user("oidc:eve")]),
    ];
    (people, accounts, bindings)
}

fn owned() -> Owned {
    let (people, accounts, bindings) = everything();
    let mut owned = Owned::default();
    people.into_iter().for_each(|person| drop(owned.person(&person.name.clone(), Some(person))));
    accounts.into_iter().for_each(|a| drop(owned.account(&place(&a.object.name.clone()), Some(a))));
    bindings.into_iter().for_each(|b| drop(owned.binding(&bound(&b.object.name.clone()), Some(b))));
    owned
}

fn world(accounts: Vec<Since<Account>>, bindings: Vec<Since<Binding>>) -> ClusterInventory {
    ClusterInventory {
        accounts: accounts.into_iter().map(|account| account.object).collect(),
        bindings: bindings.into_iter().map(|binding| binding.object).collect(),
        consumers: BTreeMap::from([("apps".to_owned(), BTreeSet::new())]),
        consents: BTreeMap::from([("apps".to_owned(), Consent { accounts: true, ..Consent::default() })]),
        ..ClusterInventory::default()
    }
}

#[test]
fn who_had_a_mark_is_found_by_its_digest_for_as_long_as_they_have_the_key() {
    let mut owned = owned();
    let had = |owned: &Owned, marks: &[&str]| owned.having(&marks.iter().map(|mark| digest(mark)).collect());
    assert_eq!(had(&owned, &["Ada@Example.com"]), names(&["p-ada"]));
    assert_eq!(had(&owned, &["id:hq/eve", "user:oidc:ben"]), names(&["p-ben", "p-eve"]));
    assert_eq!(had(&owned, &["shared@example.com"]), names(&["p-ada", "p-ben"]));
    assert_eq!(had(&owned, &["id:hq/nobody"]), names(&[]));
    owned.person("p-ada", Some(person("ada", &["email:ada@example.com"])));
    assert_eq!(had(&owned, &["shared@example.com", "ada@example.com"]), names(&["p-ada", "p-ben"]));
    owned.person("p-ben", None);
    assert_eq!(had(&owned, &["shared@example.com"]), names(&[]));
}

#[test]
fn a_plan_drawn_from_what_is_a_persons_is_the_plan_drawn_from_everything() {
    let (people, accounts, bindings) = everything();
    let (owned, index) = (owned(), Index::new(people.clone()));
    let all = world(accounts, bindings);
    let recreated = BTreeSet::from(["u-ada-ci".to_owned(), "u-ada".to_owned()]);
    for person in &people {
        let theirs = owned.of(person, &recreated);
        let small = world(theirs.accounts, theirs.bindings);
        let protected = Protected::default();
        let cut = |index: &Index, world: &ClusterInventory| plan::cut(person, "r", index, world, &protected);
        let remove =
            |index: &Index, world: &ClusterInventory| plan::remove(person, "r", &recreated, index, world, &protected);
        assert_eq!(cut(&theirs.index, &small), cut(&index, &all), "cut of {}", person.name);
        assert_eq!(remove(&theirs.index, &small), remove(&index, &all), "removal of {}", person.name);
        assert!(
            !cut(&index, &all).targets.is_empty() || !["p-ada", "p-eve", "p-shop3"].contains(&person.name.as_str()),
            "{}",
            person.name
        );
    }
}

#[test]
fn an_event_concerns_those_whose_plan_it_may_change_and_nobody_else() {
    let of = |act: &dyn Fn(&mut Owned) -> Names| act(&mut owned());
    let cases: Vec<(&str, Names, Names)> = vec![
        (
            "an account of ada's",
            of(&|o| o.account(&place("new"), Some(account("new", "id:hq/ada")))),
            names(&["p-ada"]),
        ),
        (
            "one is annotated otherwise",
            of(&|o| o.account(&place("ada-ci"), Some(account("ada-ci", "id:hq/eve")))),
            names(&["p-ada", "p-eve"]),
        ),
        ("one with an ambiguous owner is gone", of(&|o| o.account(&place("both"), None)), names(&["p-ada", "p-ben"])),
        ("one that nobody owns", of(&|o| o.account(&place("nobody"), None)), names(&[])),
        ("one that was never annotated", of(&|o| o.account(&place("default"), None)), names(&[])),
        ("a binding of ada's and eve's", of(&|o| o.binding(&bound("ada-and-eve"), None)), names(&["p-ada", "p-eve"])),
        (
            "a binding gains eve",
            of(&|o| {
                o.binding(&bound("ada-alone"), Some(binding("ada-alone", vec![user("oidc:ada"), user("oidc:eve")])))
            }),
            names(&["p-ada", "p-eve"]),
        ),
        ("a binding of an account", of(&|o| o.binding(&bound("ci"), None)), names(&["p-ada"])),
        ("a binding of a group", of(&|o| o.binding(&bound("a-group"), None)), names(&[])),
        (
            "eve has another address",
            of(&|o| o.person("p-eve", Some(person("eve", &["email:ben@example.com"])))),
            names(&["p-eve", "p-ben"]),
        ),
        (
            "the next record of fay ends",
            of(&|o| {
                let next = everything().0.remove(4);
                o.person("p-fay-next", Some(PersonFacts { left: Some(Timestamp::UNIX_EPOCH), ..next }))
            }),
            names(&["p-fay", "p-fay-next"]),
        ),
        ("ben is gone", of(&|o| o.person("p-ben", None)), names(&["p-ada", "p-ben"])),
        ("ben is as he was", of(&|o| o.person("p-ben", Some(everything().0.remove(1)))), names(&["p-ben"])),
    ];
    for (what, found, expected) in cases {
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn an_account_that_is_touched_is_not_newly_annotated_and_concerns_nobody() {
    let at = |second| Timestamp::from_second(second).ok();
    let seen = |owner: &str, uid: &str, second| {
        let mut seen = account("ada-ci", owner);
        seen.object.uid = uid.to_owned();
        Some(Since { at: at(second), ..seen })
    };
    for (what, now, expected) in [
        ("touched", seen("id:hq/ada", "u", 90), at(10)),
        ("annotated otherwise", seen("id:hq/eve", "u", 90), at(90)),
        ("another account of that name", seen("id:hq/ada", "v", 90), at(90)),
    ] {
        let mut owned = Owned::default();
        owned.account(&place("ada-ci"), seen("id:hq/ada", "u", 10));
        owned.account(&place("ada-ci"), now);
        assert_eq!(owned.accounts[&place("ada-ci")].at, expected, "{what}");
    }
    let mut owned = owned();
    owned.account(&place("ada-ci"), seen("id:hq/ada", "u", 10));
    assert_eq!(owned.account(&place("ada-ci"), seen("id:hq/ada", "u", 90)), Names::new());
}

#[test]
fn what_is_gone_leaves_nothing_behind() {
    let mut owned = owned();
    let (people, accounts, bindings) = everything();
    bindings.iter().for_each(|binding| drop(owned.binding(&bound(&binding.object.name), None)));
    accounts.iter().for_each(|account| drop(owned.account(&place(&account.object.name), None)));
    people.iter().for_each(|person| drop(owned.person(&person.name, None)));
    assert_eq!(format!("{owned:?}"), format!("{:?}", Owned::default()));
}

#[test]
fn everything_that_names_a_person_is_nominated_and_what_names_somebody_else_is_not() {
    let (people, ..) = everything();
    let uids = |id: usize| owned().uids(&people[id]).into_iter().collect::<Vec<_>>();
    assert_eq!(uids(1), ["u-both"]);
    assert_eq!(uids(2), ["u-ada-and-eve", "u-eve", "u-fay-and-eve"]);
    let fays = ["u-fay", "u-fay-and-eve", "u-fay-both", "u-fay-next", "u-fays"];
    assert_eq!((uids(3), uids(4)), (fays.map(str::to_owned).to_vec(), fays.map(str::to_owned).to_vec()), "one human");
    assert_eq!(uids(5), ["u-shop"], "a mailbox of many makes nobody a colleague's token_store");
}

#[test]
fn a_plan_stands_until_something_of_its_person_or_policy_changed_or_it_was_not_written() {
    let drawn = |epochs: &Epochs| Drawn {
        epoch: epochs.of("p-ada"),
        policy: Some(1),
        hash: "h".into(),
        at: Timestamp::UNIX_EPOCH,
    };
    let stands = |epochs: &Epochs, policy, hash| epochs.drawn_at("uid", "p-ada", Some(policy), hash).is_some();
    let mut epochs = Epochs::default();
    assert!(!stands(&epochs, 1, "h"), "never drawn by this process");
    epochs.drew("uid", drawn(&epochs));
    epochs.touch(&names(&["p-eve"]));
    assert!(stands(&epochs, 1, "h"));
    assert!(!stands(&epochs, 2, "h"), "the policy is another");
    assert!(!stands(&epochs, 1, "g"), "what is shown is another");
    epochs.touch(&names(&["p-ada"]));
    assert!(!stands(&epochs, 1, "h"), "something of ada's changed");
}
