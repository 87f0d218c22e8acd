//! Every kind of access that a person can have: what the plan predicts of it is what the API server answers afterwards, and
//! what the documentation says.

use crate::support::zoo::{Fate, Told, installed, tell};

/// The table of `docs/leaving.md`.
const PAGE: &str = include_str!("../docs/leaving.md");

/// The rows of the table that begins with these columns: first and second cell.
fn rows(page: &str, header: &str) -> Vec<(String, String)> {
    let table = page.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let table = table.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    table.map(|line| (cells(line)[1].clone(), cells(line)[2].clone())).collect()
}

#[tokio::test]
async fn every_kind_of_access_ends_or_remains_as_the_plan_predicts_and_the_documentation_says() {
    let (rollcall, _running) = installed("zoo").await;
    let outcome = tell(&rollcall).await;
    assert_eq!(outcome.plans[0], outcome.plans[1], "the plan that was shown before is the plan that was carried out");
    let wrong: Vec<_> = outcome.told.iter().filter(|one| one.predicted.is_refused() == one.works).collect();
    let say = |one: &&Told| format!("{}: predicted {}, works afterwards: {}", one.words, one.predicted, one.works);
    assert!(wrong.is_empty(), "{:#?}", wrong.iter().map(say).collect::<Vec<_>>());
    let unseen: Vec<_> = outcome.told.iter().filter(|one| one.predicted == Fate::Unseen).map(|one| one.words).collect();
    assert!(unseen.is_empty(), "the plan does not mention {unseen:#?}");
    assert!(outcome.told.len() >= 20, "{} kinds", outcome.told.len());
    let seen: Vec<_> = outcome.told.iter().map(|one| (one.words.to_owned(), one.predicted.to_string())).collect();
    assert_eq!(seen, rows(PAGE, "| kind of access |"), "docs/leaving.md has these rows");
}
