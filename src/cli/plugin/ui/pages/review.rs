//! The access review: who owns what, what has to be looked at first; it is printed as it stands.

use super::{Look, lead, today, unreadable};
use crate::api::Person;
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::people::{Accounts, record};
use crate::cli::plugin::report::access::{COLUMNS, Row, Things, rows};
use crate::cli::plugin::ui::frame::{Page, Tone, chip, command, many, nothing, of_person, table};
use crate::cli::plugin::ui::lists::{Cut, ROWS, choice, field, form};

/// What it takes to see it.
const TAKES: &str = "It takes list on serviceaccounts, rolebindings and clusterrolebindings in all namespaces.";
/// Columns that the page leaves out: a person has a link, and each policy a review of its own.
const LEFT_OUT: [&str; 5] = ["PERSON", "ADDRESS", "POLICY", "MANAGER", "WHOSE"];
/// What can be looked at alone.
const FINDINGS: [&str; 2] = ["HasLeft", "Ambiguous"];

/// The page.
pub fn page(look: &Look<'_>, things: Result<&Things, &String>) -> Page {
    let lead = lead(
        "Everybody who worked here in these days with what they own in the cluster now, and everybody who left and still owns something. What a group binds is not listed: a group's members are not known here.",
    );
    let body = match things {
        Err(why) => Html::from([lead, unreadable(why, TAKES)]),
        Ok(things) => Html::from([lead, shown(look, things)]),
    };
    Page { of: "review", title: "Access review".to_owned(), live: false, body }
}

fn shown(look: &Look<'_>, things: &Things) -> Html {
    let query = look.query;
    let days = super::leavers::days(query.get("from"), query.get("to"), today(look.now));
    let (policy, finding, of) = (query.get("policy"), query.get("finding"), query.get("of"));
    let accounts = Accounts::over(&look.world.people, &look.world.policies, &look.world.connections);
    let chosen = (!policy.is_empty()).then_some(policy);
    let all = rows(&look.world.people, things, days, chosen, &|person: &Person| accounts.shown(person, look.now));
    let wanted = |row: &Row| {
        !row.is_of_drill() && (finding.is_empty() || row.finding() == finding) && (of.is_empty() || row.manager() == of)
    };
    let all: Vec<Row> = all.into_iter().filter(wanted).collect();
    let all: Vec<Row> = if look.unmask { all } else { all.into_iter().map(Row::masked).collect() };
    let cut = Cut::of(Some(query.get("page")), all.len());
    let here: Vec<&Row> = all.iter().skip(cut.before()).take(ROWS).collect();
    let (from, to) = (days.from.to_string(), days.to.to_string());
    let names: Vec<&str> = look.world.policies.iter().filter_map(|one| one.metadata.name.as_deref()).collect();
    let asked = [("from", from.as_str()), ("to", to.as_str()), ("policy", policy), ("finding", finding), ("of", of)];
    let links = || cut.links("review", &asked);
    let fields = vec![
        field("From", "from", "date", &from),
        field("To", "to", "date", &to),
        choice("Policy", "policy", &names, policy),
        choice("Finding", "finding", &FINDINGS, finding),
        field("Manager's Person", "of", "search", of),
    ];
    let print = format!("kubectl rollcall report access-review --from {from} --to {to} -o html > review.html");
    let asked_for = format!("{from} to {to}, {}. ", many(cut.rows, "row", "rows"));
    let sign = vec![Html::from("Reviewed by: "), el("span", &[], ""), Html::from(" Date: "), el("span", &[], "")];
    Html::from([
        form("review", "What is reviewed", fields),
        el("p", &[], vec![Html::from(asked_for), whom(look, of)]),
        links(),
        listed(&here),
        links(),
        el("p", &[("class", "sign")], sign),
        el(
            "p",
            &[("class", "small")],
            vec![Html::from("This part prints as it stands. All of it as one page: "), command(&print)],
        ),
    ])
}

/// Whose people are reviewed, where one manager's are.
fn whom(look: &Look<'_>, manager: &str) -> Html {
    let found = look.world.people.iter().find(|person| person.metadata.name.as_deref() == Some(manager));
    let records: Vec<String> = found.map(|one| one.spec.records.iter().map(record).collect()).unwrap_or_default();
    if records.is_empty() {
        Html::default()
    } else {
        Html::from(format!("Only people whose manager is {}.", records.join(", ")))
    }
}

/// The columns in which something stands.
fn listed(rows: &[&Row]) -> Html {
    let filled = |of: fn(&Row) -> Vec<String>| rows.iter().any(|row| of(row).iter().any(|line| !line.is_empty()));
    let columns: Vec<_> = COLUMNS.iter().filter(|(name, _, of)| !LEFT_OUT.contains(name) && filled(*of)).collect();
    let head: Vec<&str> = columns.iter().map(|(name, ..)| heading(name)).collect();
    let cells = |row: &&Row| columns.iter().map(|(name, _, of)| cell(name, &of(row), row)).collect();
    table("Who owns what", &head, rows.iter().map(cells).collect())
}

fn heading(name: &str) -> &str {
    match name {
        "FINDING" => "Finding",
        "STATE" => "State",
        "OWNS" => "Owns",
        "GIVES" => "Gives",
        "ACCOUNT" => "Account",
        "LAST SIGN-IN" => "Last sign-in",
        "ACCOUNT FINDING" => "Of the account",
        other => super::leavers::heading(other),
    }
}

fn cell(column: &str, lines: &[String], row: &Row) -> Html {
    let text = lines.join(", ");
    match column {
        _ if text.is_empty() => nothing(),
        "HR RECORDS" => el("a", &[("href", &of_person(row.person()))], data(&text)),
        "FINDING" => {
            let (tone, words) = match text.as_str() {
                "HasLeft" => (Tone::Bad, "Has left, and owns it"),
                "Ambiguous" => (Tone::Waits, "Names several people"),
                _ => (Tone::Plain, "Another finding"),
            };
            chip(tone, words)
        }
        "ACCOUNT FINDING" => chip(Tone::Bad, data(&text)),
        "STATE" => {
            let (tone, words) = super::people::state(&text);
            chip(tone, words)
        }
        _ => lines.iter().map(|line| el("div", &[], super::leavers::dated(line))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, query};
    use super::*;

    #[test]
    fn everybody_who_works_here_is_reviewed_without_their_names() {
        let (world, query) = (company(), query(""));
        let html = page(&look(&world, &query, false), Ok(&Things::default())).body;
        let html = html.as_str();
        assert!(html.contains("hq/1") && html.contains("Reviewed by"), "{html}");
        assert!(!html.contains("Ada") && !html.contains("@example.com"), "{html}");
    }

    #[test]
    fn the_people_of_one_manager_can_be_reviewed_alone() {
        let (world, query) = (company(), query("of=p-1"));
        let html = page(&look(&world, &query, false), Ok(&Things::default())).body;
        assert!(html.as_str().contains("Only people whose manager is hq/1."), "{html:?}");
        assert!(html.as_str().contains("Who owns what: none."), "{html:?}");
    }
}
