use super::*;
use crate::field::Texts;

const DEPARTMENT: &[MoveField] = &[MoveField::Department];

/// What was known, what is said, and how both can be compared.
struct Case<'a> {
    shown: Option<&'a str>,
    digest_of: Option<&'a str>,
    said: Option<&'a str>,
    record: &'a str,
    states: (State, State),
    settled: bool,
}

const USUAL: Case<'static> = Case {
    shown: Some("Sales"),
    digest_of: None,
    said: Some("Support"),
    record: "7",
    states: (State::Active, State::Active),
    settled: true,
};

fn profile(department: Option<&str>) -> Profile {
    let mut texts = Texts::default();
    texts.set(Text::Department, department.map(Into::into));
    Profile { texts, ..Profile::default() }
}

fn values(department: Option<&str>) -> Values {
    let mut values = Values::default();
    values.set(MoveField::Department, department.map(|value| digest("p-7", "department", value)));
    values
}

/// Compares a case; `keeps` says whether the policy keeps the department of people.
fn compared(case: &Case<'_>, keeps: bool) -> (Values, Option<Found>) {
    let moves = Moves { values: values(case.digest_of), ..Moves::default() };
    let (before, after) = (profile(case.shown), profile(case.said.filter(|_| keeps)));
    let before = Before { moves: &moves, profile: &before, only_record: Some(("hq", "7")), state: case.states.0 };
    let mut said = [None; 4];
    said[0] = case.said;
    let position = Position { record: ("hq", case.record), said, also_manager: Vec::new() };
    let now = Now { person: "p-7", state: case.states.1, profile: &after, several: false, settled: case.settled };
    compare(DEPARTMENT, Some(&before), Some(&position), &now)
}

#[test]
fn a_move_is_a_change_from_a_value_to_another_of_somebody_who_works_here() {
    use State::{Active, Leave, OutOfScope, PreHire, Suspended, Terminated, Unknown};
    let of = |states| Case { states, ..USUAL };
    let cases = [
        ("another department", USUAL, true),
        ("the same", Case { said: Some("Sales"), ..USUAL }, false),
        ("the same in another case, with blanks", Case { said: Some(" SALES "), ..USUAL }, false),
        ("empty now", Case { said: None, ..USUAL }, false),
        ("none was known", Case { shown: None, ..USUAL }, false),
        ("only a digest was known", Case { shown: None, digest_of: Some("Sales"), ..USUAL }, true),
        ("the digest is of the same", Case { shown: None, digest_of: Some("support"), ..USUAL }, false),
        ("it was empty, and comes back as it was", Case { shown: None, digest_of: Some("Support"), ..USUAL }, false),
        ("a value that was held back goes before what is shown", Case { digest_of: Some("Support"), ..USUAL }, false),
        ("another record says so", Case { record: "8", ..USUAL }, false),
        ("the policy or the source has changed", Case { settled: false, ..USUAL }, false),
        ("on leave", of((Active, Leave)), true),
        ("back from leave", of((Leave, Active)), true),
        ("suspended", of((Suspended, Suspended)), true),
        ("it could not be told before", of((Unknown, Active)), true),
        ("it cannot be told now", of((Active, Unknown)), false),
        ("starts later", of((PreHire, PreHire)), false),
        ("begins", of((PreHire, Active)), false),
        ("comes back", of((Terminated, Active)), false),
        ("out of scope", of((Active, OutOfScope)), false),
        ("into scope", of((OutOfScope, Active)), false),
    ];
    for (what, case, moved) in cases {
        for keeps in [true, false] {
            let fields = compared(&case, keeps).1.map(|found| found.fields);
            assert_eq!(fields.as_deref(), moved.then_some(DEPARTMENT), "{what}, kept: {keeps}");
        }
    }
}

#[test]
fn what_the_profile_shows_is_not_remembered_a_second_time() {
    let cases = [
        ("kept, and the same", Case { said: Some("Sales"), ..USUAL }, true, None),
        ("kept, and moved: what was stands until it is taken over", USUAL, true, Some("Sales")),
        ("kept, and empty now", Case { said: None, ..USUAL }, true, Some("Sales")),
        ("not kept", Case { shown: None, said: Some("Sales"), ..USUAL }, false, Some("Sales")),
        ("not kept any more", Case { said: Some("Sales"), ..USUAL }, false, Some("Sales")),
        ("kept from now on", Case { shown: None, digest_of: Some("Support"), ..USUAL }, true, None),
        ("kept, and cannot be told", Case { states: (State::Active, State::Unknown), ..USUAL }, true, Some("Sales")),
        ("a new baseline", Case { settled: false, ..USUAL }, true, None),
    ];
    for (what, case, keeps, expected) in cases {
        let (held, found) = compared(&case, keeps);
        assert_eq!(held, values(expected), "{what}");
        let fresh = if keeps { None } else { case.said };
        if let Some(found) = found {
            assert_eq!(found.fresh, values(fresh), "{what}: taken over");
        }
    }
}

#[test]
fn of_several_records_the_one_that_spoke_is_remembered() {
    let (shown, after) = (profile(Some("Sales")), profile(Some("Support")));
    let compared = |moves: &Moves, id| {
        let before = Before { moves, profile: &shown, only_record: None, state: State::Active };
        let said = [Some("Support"), None, None, None];
        let position = Position { record: ("hq", id), said, also_manager: Vec::new() };
        let now = Now { person: "p-7", state: State::Active, profile: &after, several: true, settled: true };
        compare(DEPARTMENT, Some(&before), Some(&position), &now)
    };
    let (first, found) = compared(&Moves::default(), "7");
    assert_eq!(found, None, "nobody knows who spoke before");
    let moves = Moves { values: first, ..Moves::default() };
    assert!(compared(&moves, "7").1.is_some() && compared(&moves, "8").1.is_none());
}

#[test]
fn a_manager_whose_records_were_merged_is_the_same_one() {
    let (moves, shown) = (Moves::default(), Profile { manager: Some("p-1".into()), ..Profile::default() });
    let before = Before { moves: &moves, profile: &shown, only_record: Some(("hq", "7")), state: State::Active };
    let after = Profile { manager: Some("p-2".into()), ..Profile::default() };
    let now = Now { person: "p-7", state: State::Active, profile: &after, several: false, settled: true };
    for (also, moved) in [(vec![], true), (vec!["p-2".to_owned(), "p-1".to_owned()], false)] {
        let position = Position { record: ("hq", "7"), said: [None, None, None, Some("p-2")], also_manager: also };
        let found = compare(&[MoveField::Manager], Some(&before), Some(&position), &now).1;
        assert_eq!(found.is_some(), moved);
    }
}

#[test]
fn values_are_stored_in_sixty_bytes_and_say_nothing_that_two_people_have_in_common() {
    let mut values = Values::default();
    MoveField::ALL.iter().for_each(|field| values.set(*field, Some(digest("p-7", field.as_str(), "Sales"))));
    values.0.insert(RECORD, digest("p-7", "record", "hq/7"));
    let stored = values.to_string();
    assert!(stored.len() <= 60 && Values::from_stored(&stored) == values, "{stored}");
    assert_ne!(digest("p-7", "department", "Sales"), digest("p-8", "department", "Sales"));
    assert_eq!(Values::from_stored("x:abcdefgh d:short d t:"), Values::default(), "of a later version");
}

#[test]
fn many_are_ten_or_more_and_more_than_a_fifth() {
    for (movers, working, many) in
        [(9, 9, false), (10, 10, true), (10, 50, false), (10, 49, true), (200, 1_000, false), (201, 1_000, true)]
    {
        assert_eq!(are_many(movers, working), many, "{movers} of {working}");
    }
}
