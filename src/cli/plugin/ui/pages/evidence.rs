//! The chain of evidence: whether it verifies, and its records.

use super::{Look, lead, unreadable};
use crate::cli::evidence::Looked;
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::ui::frame::{
    Page, Tone, chip, command, many, nothing, of_person, or_nothing, section, table, thousands, time,
};
use crate::cli::plugin::ui::lists::{Cut, ROWS, field, form};
use domain::evidence::{Record, RecordBody};

/// What it takes to see it.
const TAKES: &str = "It takes list on configmaps in this namespace: the ClusterRole of viewers has it.";

/// The page.
pub fn page(look: &Look<'_>, looked: Result<&Looked, &String>) -> Page {
    let lead = lead(
        "Each Revocation that ended, and each that was rejected, has a sealed record; each record holds the hash of the one before it.",
    );
    let body = match looked {
        Err(why) => Html::from([lead, unreadable(why, TAKES)]),
        Ok(looked) => Html::from([lead, shown(look, looked)]),
    };
    Page { of: "evidence", title: "Evidence".to_owned(), live: false, body }
}

fn shown(look: &Look<'_>, looked: &Looked) -> Html {
    let searched = look.query.get("q");
    let wanted = |(name, record): &&(String, Record)| {
        [name, &record.body.person, &record.body.revocation].into_iter().any(|text| text.contains(searched))
    };
    let found: Vec<&(String, Record)> = looked.records.iter().rev().filter(wanted).collect();
    let cut = Cut::of(Some(look.query.get("page")), found.len());
    let rows = found.into_iter().skip(cut.before()).take(ROWS).map(|(name, record)| row(name, record, look.unmask));
    let mut head = vec!["Record", "Sealed", "What", "Person", "How it ended", "Steps", "Verdicts", "Remains"];
    if look.unmask {
        head.push("Approved by");
    }
    let rows = rows.collect();
    let links = || cut.links("evidence", &[("q", searched)]);
    let fields = vec![field("Record, Person or Revocation", "q", "search", searched)];
    Html::from([
        section("verified", "Whether it verifies", verdict(looked)),
        section(
            "records",
            &format!("Records: {}", thousands(looked.records.len())),
            vec![form("evidence", "Look for records", fields), links(), table("Records", &head, rows), links()],
        ),
    ])
}

/// What a check of all of it said: the words of `rollcall evidence verify`.
fn verdict(looked: &Looked) -> Html {
    let lines = |lines: &[String]| -> Vec<Html> {
        lines.iter().flat_map(|text| text.lines()).map(|line| el("p", &[], data(line))).collect()
    };
    let said = if looked.wrong.is_empty() {
        el("div", &[("class", "notice good")], lines(&looked.says))
    } else {
        let broken = format!("The evidence is broken in {}.", many(looked.wrong.len(), "place", "places"));
        let mut said = vec![el("p", &[], broken)];
        said.extend(lines(&looked.wrong));
        el("div", &[("class", "notice bad")], said)
    };
    let yourself = vec![
        Html::from(
            "Checked here, by this command, from what the cluster has now. To check it elsewhere and against the key: ",
        ),
        command("kubectl rollcall evidence verify --key key.pem"),
    ];
    Html::from([said, el("p", &[("class", "small")], yourself)])
}

fn row(name: &str, record: &Record, unmask: bool) -> Vec<Html> {
    let body = &record.body;
    let (tone, words) = ended(body);
    let proved =
        body.verdicts.iter().filter(|one| ["Observed", "Implied", "Adopted"].contains(&one.verdict.as_str())).count();
    let person = if body.person.is_empty() {
        nothing()
    } else {
        el("a", &[("href", &of_person(&body.person))], data(&body.person))
    };
    let mut cells = vec![
        Html::from([data(&format!("{}", record.index)), el("span", &[("class", "name")], data(name))]),
        time(body.sealed),
        Html::from([data(&body.operation), el("span", &[("class", "name")], data(&body.revocation))]),
        person,
        chip(tone, data(&words)),
        Html::from(body.steps.len().to_string()),
        Html::from(format!("{proved} of {} proved", body.verdicts.len())),
        Html::from(body.remaining.len().to_string()),
    ];
    if unmask {
        let by: Vec<&str> = [&body.approver, &body.second_approver].into_iter().flatten().map(String::as_str).collect();
        cells.push(or_nothing(&by.join(", ")));
    }
    cells
}

/// How what a record is of ended.
fn ended(body: &RecordBody) -> (Tone, String) {
    let tone = match body.phase.as_str() {
        "Revoked" | "Frozen" => Tone::Good,
        "Failed" => Tone::Bad,
        "Held" => Tone::Waits,
        _ => Tone::Plain,
    };
    let gate = body.gate.as_ref().map(|gate| format!(": {gate}")).unwrap_or_default();
    (tone, format!("{}{gate}", body.phase))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, query};
    use super::*;

    #[test]
    fn a_broken_chain_is_never_called_verified_and_says_what_is_wrong() {
        let (world, query) = (company(), query(""));
        let shown = |looked: &Looked| page(&look(&world, &query, false), Ok(looked)).body.as_str().to_owned();
        let whole = Looked { says: vec!["2 records verify, head 2 ab".into()], ..Looked::default() };
        assert!(shown(&whole).contains("notice good") && shown(&whole).contains("2 records verify"));
        let broken = Looked { wrong: vec!["records 1 to 2 are missing".into()], ..Looked::default() };
        let html = shown(&broken);
        assert!(html.contains("notice bad") && html.contains("records 1 to 2 are missing"), "{html}");
        assert!(!html.contains("notice good") && !html.contains("verify, head"), "{html}");
    }
}
