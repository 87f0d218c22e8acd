use super::*;

/// Midnight of a day in 2026.
fn day(text: &str) -> Timestamp {
    format!("2026-{text}T00:00:00Z").parse().unwrap()
}

fn seen<'a>(uid: &'a str, owner: Option<&'a str>, created: Timestamp) -> Seen<'a> {
    Seen { uid, owner, created: Some(created), marked: Some(created) }
}

fn account(uid: &str, owner: &str) -> Account {
    Account {
        namespace: "apps".into(),
        name: "ci".into(),
        uid: uid.into(),
        owner: owner.into(),
        next: crate::handover::Nominated::default(),
        purpose: None,
        break_glass: false,
    }
}

/// What happens to the account `apps/ci`.
enum Happens {
    Is(&'static str, Option<&'static str>),
    Goes,
}
use Happens::{Goes, Is};

/// A memory that began when the account had this owner, and saw what happened since, each on its day.
fn after(owner: Option<&'static str>, happens: &[(&str, Happens)]) -> Memory {
    let mut memory = Memory::default();
    memory.see("apps", "ci", seen("u1", owner, day("01-01")), First::Beginning, day("01-01"));
    for (on, happens) in happens {
        match happens {
            Is(uid, owner) => {
                let made = if *uid == "u1" { day("01-01") } else { day(on) };
                let first = if *uid == "u1" { First::Unmarked } else { First::New };
                memory.see("apps", "ci", seen(uid, *owner, made), first, day(on))
            }
            Goes => memory.gone("apps", "ci", day(on)),
        };
    }
    memory
}

const ADA: &str = "ada@example.com";
const BEN: &str = "ben@example.com";

fn keys(of: &str) -> impl Iterator<Item = String> {
    [key(of).unwrap(), "user:oidc:other".to_owned()].into_iter()
}

#[test]
fn a_mark_that_went_shortly_before_an_exit_is_lost_and_one_that_stands_is_not() {
    let none = BTreeMap::new();
    for (what, happens, expected) in [
        ("nothing happened", vec![], false),
        ("removed", vec![("06-01", Is("u1", None))], true),
        ("removed long ago", vec![("04-01", Is("u1", None))], false),
        ("moved to a colleague", vec![("06-01", Is("u1", Some(BEN)))], true),
        ("written in another way", vec![("06-01", Is("u1", Some("email:Ada@Example.com")))], false),
        ("removed and set back", vec![("06-01", Is("u1", None)), ("06-02", Is("u1", Some(ADA)))], false),
        ("deleted, which ends its tokens", vec![("06-01", Goes)], false),
        ("made again as it was", vec![("06-01", Goes), ("06-01", Is("u2", Some(ADA)))], false),
        ("made again without it", vec![("06-01", Goes), ("06-01", Is("u2", None))], true),
        ("the same in one look", vec![("06-01", Is("u2", None))], true),
        ("made again days later", vec![("06-01", Goes), ("06-05", Is("u2", None))], true),
        ("made again with a colleague's name", vec![("06-01", Goes), ("06-01", Is("u2", Some(BEN)))], true),
        (
            "made again twice, so that it looks like the colleague's for long",
            vec![("06-01", Is("u2", Some(BEN))), ("06-02", Goes), ("06-03", Is("u3", Some(BEN)))],
            true,
        ),
        ("removed, and then deleted", vec![("06-01", Is("u1", None)), ("06-02", Goes)], false),
        (
            "removed, deleted, and made again",
            vec![("06-01", Is("u1", None)), ("06-02", Goes), ("06-03", Is("u2", None))],
            true,
        ),
    ] {
        let memory = after(Some(ADA), &happens);
        let lost = memory.lost(keys(ADA), day("06-10"), &none);
        assert_eq!(!lost.is_empty(), expected, "{what}");
        let read = kept(memory);
        assert_eq!(read.lost(keys(ADA), day("06-10"), &none), lost, "{what}, read again");
        assert!(read.lost(keys("eve@example.com"), day("06-10"), &none).is_empty(), "{what}: it is nobody else's");
    }
}

/// The memory as another process reads it.
fn kept(mut memory: Memory) -> Memory {
    let letters: Vec<char> = memory.shelves.keys().copied().collect();
    let texts: Vec<_> =
        letters.into_iter().map(|letter| (letter, memory.shelf(letter).written(day("06-10")).unwrap())).collect();
    Memory::read(texts.iter().map(|(letter, text)| (*letter, text.as_str())))
}

#[test]
fn what_a_cut_made_and_somebody_handed_over_was_not_shed() {
    let memory = after(Some(ADA), &[("06-01", Is("u2", Some(ADA))), ("06-02", Is("u2", Some(BEN)))]);
    let lost = |uid: &str, until: &str| {
        memory.lost(keys(ADA), day("06-10"), &BTreeMap::from([(uid.to_owned(), day(until))])).len()
    };
    assert_eq!(lost("u2", "06-04"), 0, "the cut gave it this uid");
    assert_eq!(lost("u1", "06-04"), 1, "any other was shed");
    assert_eq!(lost("u2", "06-01"), 1, "they were back by then");
    let removed = after(Some(ADA), &[("06-01", Is("u2", Some(ADA))), ("06-02", Goes), ("06-03", Is("u3", Some(BEN)))]);
    assert!(
        removed.lost(keys(ADA), day("06-10"), &BTreeMap::from([("u2".to_owned(), day("06-04"))])).is_empty(),
        "also once it was removed"
    );
}

#[test]
fn an_account_made_again_under_many_names_may_be_anybodys() {
    for names in [5, 100] {
        let mut memory = after(Some(ADA), &[]);
        for number in 0..names {
            let (uid, owner) = (format!("v{number}"), format!("colleague-{number}@example.com"));
            memory.see("apps", "ci", seen(&uid, Some(&owner), day("06-01")), First::New, day("06-01"));
        }
        let memory = kept(memory);
        assert_eq!(memory.lost(keys(ADA), day("06-10"), &BTreeMap::new()).len(), 1, "{names}: who lost it first");
        let told = memory.lost(keys("eve@example.com"), day("06-10"), &BTreeMap::new()).len();
        assert_eq!(told, usize::from(names > 32), "{names}: somebody who may have lost it");
        assert!(
            memory.lost(keys("eve@example.com"), day("09-10"), &BTreeMap::new()).is_empty(),
            "{names}: not for ever"
        );
    }
}

#[test]
fn a_mark_that_somebody_set_lately_on_what_stood_is_not_acted_on() {
    for (what, owner, happens, expected) in [
        ("it stood when the memory began", Some(ADA), vec![], false),
        ("set lately", None, vec![("06-01", Is("u1", Some(ADA)))], true),
        ("set long ago", None, vec![("04-01", Is("u1", Some(ADA)))], false),
        ("a colleague's until lately", Some(BEN), vec![("06-01", Is("u1", Some(ADA)))], true),
        ("set back lately", Some(ADA), vec![("06-01", Is("u1", None)), ("06-02", Is("u1", Some(ADA)))], true),
        ("an account that was made with it", None, vec![("06-01", Is("u2", Some(ADA)))], false),
        (
            "a colleague's account made again with it",
            Some(BEN),
            vec![("06-01", Goes), ("06-01", Is("u2", Some(ADA)))],
            true,
        ),
        (
            "set lately, and then made again",
            None,
            vec![("06-01", Is("u1", Some(ADA))), ("06-02", Goes), ("06-02", Is("u2", Some(ADA)))],
            true,
        ),
        ("made again by a cut", Some(ADA), vec![("06-01", Is("u2", Some(ADA)))], false),
    ] {
        let uid =
            happens.iter().rev().find_map(|(_, happens)| if let Is(uid, _) = happens { Some(*uid) } else { None });
        let account = account(uid.unwrap_or("u1"), ADA);
        let memory = after(owner, &happens);
        let fresh = |memory: &Memory| !memory.fresh(std::iter::once(&account), day("06-10")).is_empty();
        assert_eq!(fresh(&memory), expected, "{what}");
    }
}

#[test]
fn of_a_mark_that_is_seen_for_the_first_time_the_objects_own_word_is_the_last_to_count() {
    let (made, now) = (day("06-01"), day("06-09"));
    let written = |on: Option<&str>| {
        let mut memory = Memory::default();
        if let Some(on) = on {
            memory.shelf(shelf_of("apps")).written(day(on)).unwrap();
        }
        memory
    };
    for (what, kept, first, marked, expected) in [
        ("made with it, by its own word", None, First::New, Some(made), false),
        ("marked days later, by its own word", None, First::New, Some(day("06-05")), true),
        ("it says nothing", None, First::New, None, true),
        ("it was seen without it", None, First::Unmarked, Some(made), true),
        ("it stood when the shelf was written", Some("06-08"), First::New, Some(made), true),
        ("it was made since", Some("05-20"), First::New, Some(made), false),
        ("the memory begins", None, First::Beginning, Some(day("06-05")), false),
    ] {
        let mut memory = written(kept);
        let seen = Seen { uid: "u1", owner: Some(ADA), created: Some(made), marked };
        memory.see("apps", "ci", seen, first, now);
        let fresh = !memory.fresh(std::iter::once(&account("u1", ADA)), day("06-10")).is_empty();
        assert_eq!(fresh, expected, "{what}");
    }
    let mut memory = Memory::default();
    let soon = made.checked_add(SignedDuration::from_secs(5)).unwrap();
    memory.see("apps", "ci", Seen { marked: None, ..seen("u1", Some(ADA), made) }, First::Unmarked, soon);
    assert!(memory.fresh(std::iter::once(&account("u1", ADA)), now).is_empty(), "a script of two commands");
}

#[test]
fn what_the_memory_does_not_know_or_cannot_read_is_not_acted_on() {
    let memory = after(Some(ADA), &[]);
    let fresh = |memory: &Memory, account: &Account| !memory.fresh(std::iter::once(account), day("06-10")).is_empty();
    assert!(!fresh(&memory, &account("u1", ADA)));
    assert!(fresh(&memory, &account("u9", ADA)), "another account");
    assert!(fresh(&memory, &account("u1", BEN)), "another owner");
    assert!(fresh(&Memory::default(), &account("u1", ADA)), "nothing was kept");
    let letter = shelf_of("apps");
    let mut broken = Memory::read(std::iter::once((letter, "{")));
    assert!(!broken.is_new());
    assert_eq!(broken.unreadable().collect::<Vec<_>>(), [letter]);
    broken.see("apps", "ci", seen("u1", Some(ADA), day("01-01")), First::New, day("01-01"));
    assert!(fresh(&broken, &account("u1", ADA)), "what was kept of it cannot be read");
}

#[test]
fn only_what_changed_is_to_be_kept() {
    let mut memory = after(Some(ADA), &[]);
    let mut see = |uid: &str, owner: Option<&str>| {
        let change = memory.see("apps", "ci", seen(uid, owner, day("06-01")), First::New, day("06-01"));
        (change.keep, change.losers.contains(&digest(ADA)))
    };
    assert_eq!(see("u1", Some(ADA)), (false, false), "nothing changed");
    assert_eq!(see("u2", Some(ADA)), (false, false), "a cut made it again");
    assert_eq!(see("u2", None), (true, true));
    assert_eq!(see("u2", None), (false, false));
    assert_eq!(see("u3", None), (false, true), "what was lost is another account now");
    assert!(!memory.see("apps", "never", seen("u", None, day("06-01")), First::New, day("06-01")).keep);
}

#[test]
fn two_processes_that_keep_it_lose_nothing_of_each_other() {
    let (mut one, mut other) = (after(Some(ADA), &[]), after(Some(ADA), &[("06-01", Is("u1", Some(BEN)))]));
    other.see("apps", "two", seen("v1", Some(BEN), day("06-01")), First::New, day("06-01"));
    let letter = shelf_of("apps");
    one.see("apps", "ci", seen("u1", Some(BEN), day("01-01")), First::Unmarked, day("06-02"));
    let theirs = other.shelf(letter).clone();
    one.shelf(letter).merge(theirs);
    assert_eq!(one.lost(keys(ADA), day("06-10"), &BTreeMap::new()).len(), 1);
    assert_eq!(one.places().collect::<Vec<_>>(), [("apps", "ci"), ("apps", "two")]);
}

#[test]
fn five_thousand_marked_accounts_of_one_namespace_fit_and_what_does_not_fit_goes_by_its_use() {
    let mut memory = Memory::default();
    let uid = "01234567-89ab-cdef-0123-456789abcdef";
    let fill = |memory: &mut Memory, range: std::ops::Range<u32>| {
        for number in range {
            let name = format!("a-service-account-of-some-length-{number:05}");
            memory.see(
                "a-namespace-of-some-length",
                &name,
                seen(uid, Some(ADA), day("06-01")),
                First::New,
                day("06-01"),
            );
        }
    };
    fill(&mut memory, 0..5000);
    let letter = shelf_of("a-namespace-of-some-length");
    assert!(memory.shelf(letter).written(day("06-01")).unwrap().len() < 1 << 20);
    fill(&mut memory, 5000..9000);
    assert_eq!(memory.shelf(letter).written(day("06-01")), Err(Full));
    for number in 4000..9000 {
        memory.gone(
            "a-namespace-of-some-length",
            &format!("a-service-account-of-some-length-{number:05}"),
            day("06-02"),
        );
    }
    memory.shelf(letter).written(day("06-02")).unwrap();
    assert_eq!(memory.places().count(), 4000, "accounts that stand are kept");
}

#[test]
fn what_no_exit_asks_for_is_forgotten() {
    let mut memory = after(Some(ADA), &[("01-02", Goes)]);
    let letter = shelf_of("apps");
    let mut text = |on: &str| memory.shelf(letter).written(on.parse().unwrap()).unwrap();
    assert!(text("2026-01-20T00:00:00Z").contains("apps/ci"), "it may be made again");
    assert!(!text("2026-03-01T00:00:00Z").contains("apps/ci"));
    let mut memory = after(Some(ADA), &[("01-02", Is("u1", None))]);
    let mut text = |on: &str| memory.shelf(letter).written(on.parse().unwrap()).unwrap();
    assert!(text("2026-12-01T00:00:00Z").contains("apps/ci"), "a Revocation may be held for long");
    assert!(!text("2027-12-01T00:00:00Z").contains("apps/ci"));
    assert!(!text("2026-01-20T00:00:00Z").contains("example.com"), "it names nobody");
}
