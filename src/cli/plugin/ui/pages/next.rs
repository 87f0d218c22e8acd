//! Who leaves and who starts next, and whose revocation is due: the rows of `rollcall people --upcoming`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Look, lead};
use crate::cli::plugin::html::{Html, el};
use crate::cli::plugin::people::list::{self, Row};
use crate::cli::plugin::ui::frame::{Page, from_now, maybe_day, or_nothing, person, table, time};
use crate::cli::plugin::ui::lists::{Cut, ROWS, choice, form};

/// What is listed apart.
const ONLY: [&str; 2] = ["leaves", "starts"];

/// The page.
pub fn page(look: &Look<'_>, coming: &[Row]) -> Page {
    let only = look.query.get("only");
    let wanted: Vec<&Row> = coming.iter().filter(|row| only.is_empty() || row.next == only).collect();
    let cut = Cut::of(Some(look.query.get("page")), wanted.len());
    let rows: Vec<&Row> = wanted.into_iter().skip(cut.before()).take(ROWS).collect();
    let links = || cut.links("next", &[("only", only)]);
    let body = Html::from([
        lead(
            "To whom something happens next, if no new response of HR says otherwise: worked out by the code that decides it at midnight where they work.",
        ),
        form("next", "What is listed", vec![choice("Only who", "only", &ONLY, only)]),
        el("div", &[("id", "list"), ("data-part", "")], vec![links(), listed(&rows, look.now, look.unmask), links()]),
    ]);
    Page { of: "next", title: "Next".to_owned(), live: true, body }
}

/// What comes, a row each.
pub fn listed(rows: &[&Row], now: Timestamp, unmask: bool) -> Html {
    let head = ["When", "Where they work", "Person", "What happens", "Last day", "Policy"];
    let row = |row: &&Row| {
        let row = if unmask { (*row).clone() } else { list::masked((*row).clone()) };
        let when = row.next_at.map(|at| Html::from([time(at), el("span", &[("class", "name")], from_now(at, now))]));
        vec![
            when.into(),
            or_nothing(&row.next_at.map(|at| there(at, &row.time_zone)).unwrap_or_default()),
            person(&row.person, &row.records, row.name.as_deref()),
            or_nothing(&what(&row.next)),
            maybe_day(row.last_day),
            or_nothing(&row.policy),
        ]
    };
    table("What comes next", &head, rows.iter().map(row).collect())
}

/// What happens; a Revocation is called by its name.
fn what(next: &str) -> String {
    if next.starts_with("p-") { format!("{next} is due") } else { next.to_owned() }
}

/// The clock on the wall there.
fn there(at: Timestamp, zone: &str) -> String {
    let zone_there = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    format!("{} {zone}", at.to_zoned(zone_there).strftime("%Y-%m-%d %H:%M"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, now, query};
    use super::*;

    #[test]
    fn who_leaves_and_who_starts_is_listed_with_the_clock_where_they_work() {
        let (world, all) = (company(), query(""));
        let always = list::Wanted::Upcoming(list::Days { from: None, to: None });
        let coming = list::rows(&world, world.people.iter(), always, now());
        let everybody = page(&look(&world, &all, false), &coming).body;
        let everybody = everybody.as_str();
        assert!(everybody.contains("hq/8") && everybody.contains("leaves"), "{everybody}");
        assert!(everybody.contains("2026-04-01 00:00 Europe/Madrid"), "{everybody}");
        let starters = query("only=starts");
        let starters = page(&look(&world, &starters, false), &coming).body;
        assert!(!starters.as_str().contains("hq/8"), "{starters:?}");
    }
}
