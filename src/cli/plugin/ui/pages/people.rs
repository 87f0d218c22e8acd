//! Everybody, by pages of a hundred, and who is looked for.

use kube::ResourceExt;

use super::{Look, lead};
use crate::api::Person;
use crate::api::person::State;
use crate::cli::plugin::html::{Html, el};
use crate::cli::plugin::people::list::{self, Row, Wanted};
use crate::cli::plugin::people::{meant, record};
use crate::cli::plugin::ui::frame::{Page, Tone, chip, maybe_day, maybe_time, or_nothing, person, table};
use crate::cli::plugin::ui::lists::{Cut, ROWS, choice, field, form};

/// The page.
pub fn page(look: &Look<'_>) -> Page {
    let (searched, state, policy) = (look.query.get("q"), look.query.get("state"), look.query.get("policy"));
    let found = found(look, searched, state, policy);
    let cut = Cut::of(Some(look.query.get("page")), found.len());
    let here = found.into_iter().skip(cut.before()).take(ROWS);
    let rows = list::rows(look.world, here, Wanted::All, look.now);
    let rows: Vec<Row> = if look.unmask { rows } else { rows.into_iter().map(list::masked).collect() };
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let policies: Vec<String> = look.world.policies.iter().map(ResourceExt::name_any).collect();
    let policies: Vec<&str> = policies.iter().map(String::as_str).collect();
    let what = if look.unmask {
        "HR record, name, address or user name"
    } else {
        "HR record, or a whole address or user name"
    };
    let fields = vec![
        field(what, "q", "search", searched),
        choice("State", "state", &states, state),
        choice("Policy", "policy", &policies, policy),
    ];
    let links = || cut.links("people", &[("q", searched), ("state", state), ("policy", policy)]);
    let body = Html::from([
        lead(
            "Everybody that Rollcall knows. Choose somebody to see why they are in their state, what happened to their access, and what comes next.",
        ),
        form("people", "Look for people", fields),
        el("div", &[("id", "list"), ("data-part", "")], vec![links(), listed(&rows), links()]),
    ]);
    Page { of: "people", title: "People".to_owned(), live: true, body }
}

/// Who is looked for, in the order of their HR records.
fn found<'w>(look: &Look<'w>, searched: &str, state: &str, policy: &str) -> Vec<&'w Person> {
    let (named, small) = (meant(searched), searched.to_lowercase());
    let holds = |text: &str| text.to_lowercase().contains(&small);
    let unmask = look.unmask;
    let of_search = |person: &&Person| {
        searched.is_empty()
            || person.metadata.name.as_deref().is_some_and(holds)
            || person.spec.records.iter().any(|one| holds(&record(one)))
            || unmask && person.display_name().is_some_and(holds)
            || unmask && person.profiles().any(|profile| profile.work_email.as_deref().is_some_and(holds))
            || named(person)
    };
    let of_state = |person: &&Person| {
        let status = person.status.as_ref();
        let is = status.and_then(|status| Some(status.employment.as_ref()?.state.as_str())).unwrap_or_default();
        let under = status.and_then(|status| status.policy.as_deref()).unwrap_or_default();
        (state.is_empty() || is == state) && (policy.is_empty() || under == policy)
    };
    let world: &'w crate::cli::plugin::people::World = look.world;
    let mut found: Vec<&Person> = world.people.iter().filter(of_state).filter(of_search).collect();
    found.sort_by(|one, other| {
        (&one.spec.records, &one.metadata.name).cmp(&(&other.spec.records, &other.metadata.name))
    });
    found
}

/// People, a row each.
pub fn listed(rows: &[Row]) -> Html {
    let head = ["Person", "State", "Why", "First day", "Last day", "Access", "Next", "When"];
    let row = |row: &Row| {
        let (tone, words) = state(&row.state);
        let access = match row.remaining {
            0 => or_nothing(&row.access),
            1 => Html::from(format!("{}, 1 remains", row.access)),
            more => Html::from(format!("{}, {more} remain", row.access)),
        };
        vec![
            person(&row.person, &row.records, row.name.as_deref()),
            chip(tone, words),
            or_nothing(&row.why),
            maybe_day(row.first_day),
            maybe_day(row.last_day),
            access,
            or_nothing(&row.next),
            maybe_time(row.next_at),
        ]
    };
    table("People", &head, rows.iter().map(row).collect())
}

/// A state in words.
pub fn state(word: &str) -> (Tone, &'static str) {
    match word {
        "Active" => (Tone::Good, "Works here"),
        "PreHire" => (Tone::Plain, "Starts later"),
        "Leave" => (Tone::Plain, "On leave"),
        "Suspended" => (Tone::Plain, "Suspended"),
        "Terminated" => (Tone::Plain, "Has left"),
        "OutOfScope" => (Tone::Plain, "Out of scope"),
        "Unknown" => (Tone::Waits, "Cannot be told"),
        _ => (Tone::Waits, "Nothing is known yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, query};
    use super::*;

    fn names(text: &str, unmask: bool) -> Vec<String> {
        let (world, query) = (company(), query(text));
        let look = look(&world, &query, unmask);
        let found = found(&look, query.get("q"), query.get("state"), query.get("policy"));
        found.into_iter().map(ResourceExt::name_any).collect()
    }

    #[test]
    fn people_are_found_by_what_is_shown_of_them_and_by_a_whole_address() {
        for (text, unmask, expected) in [
            ("q=hq%2F7", false, vec!["p-7"]),
            ("q=HQ/7", false, vec!["p-7"]),
            ("q=ada@example.com", false, vec!["p-7"]),
            ("q=ada@", false, vec![]),
            ("q=Ada", false, vec![]),
            ("q=Ada", true, vec!["p-7"]),
            ("state=Terminated", false, vec!["p-7"]),
            ("state=Terminated&policy=other", false, vec![]),
            ("q=nobody", false, vec![]),
        ] {
            assert_eq!(names(text, unmask), expected, "{text} {unmask}");
        }
    }

    #[test]
    fn every_state_has_words_of_its_own() {
        let mut words: Vec<&str> = State::ALL.iter().map(|one| state(one.as_str()).1).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), State::ALL.len());
    }

    #[test]
    fn no_name_is_shown_unless_asked_and_no_name_is_markup() {
        let (world, query) = (company(), query(""));
        let masked = page(&look(&world, &query, false)).body;
        assert!(!masked.as_str().contains("Ada") && !masked.as_str().contains("script"), "{masked:?}");
        let shown = page(&look(&world, &query, true)).body;
        let shown = shown.as_str();
        assert!(shown.contains("Ada &lt;script&gt;") && !shown.contains("<script"), "{shown}");
        assert!(shown.contains(&"x".repeat(300)) && !shown.contains('\u{202e}'), "{shown}");
    }
}
