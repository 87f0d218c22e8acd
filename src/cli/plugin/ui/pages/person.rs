//! One person: what `rollcall why` says, what happened to each credential, and what comes.

use jiff::Timestamp;
use kube::ResourceExt;

use super::Look;
use crate::api::Revocation;
use crate::api::revocation::Phase;
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::people::answer::{Answer, decide};
use crate::cli::plugin::people::owned::{self, Owned, Seen};
use crate::cli::plugin::people::words::{Part, TO_DO, parts};
use crate::cli::plugin::ui::frame::{Page, chip, lasts, nothing, section, table, time, to_do};
use crate::cli::plugin::ui::timeline::{Credential, Moment, called, credentials, moments, phase_words, way};

/// The page; none where there is no such person.
pub fn page(look: &Look<'_>, seen: Result<&Option<Seen>, &String>) -> Option<Page> {
    let name = look.query.get("name");
    let person = look.world.people.iter().find(|person| person.metadata.name.as_deref() == Some(name))?;
    let owned = match seen {
        Ok(seen) => owned::of_person(seen.as_ref(), &look.world.people, person, look.now),
        Err(_) => Owned::NotAllowed,
    };
    let answer = decide(look.world, person, owned, look.now);
    let revocations = look.world.revocations_of(person);
    let mut all: Vec<Moment> = revocations.iter().flat_map(|one| moments(one, look.unmask)).collect();
    all.sort_by_key(|moment| moment.at);
    all.dedup_by(|one, other| (one.at, &one.what) == (other.at, &other.what));
    let [why, to_do, rests_on] = said(&answer, look.unmask);
    let mut body = vec![why, to_do];
    body.extend(revocations.iter().rev().map(|one| of_revocation(one, look.unmask)));
    body.push(section("timeline", "Timeline", line(&all)));
    body.push(rests_on);
    let records = answer.records.join(", ");
    Some(Page { of: "people", title: records, live: true, body: body.into() })
}

/// The answer of `why`, part by part.
fn said(answer: &Answer, unmask: bool) -> [Html; 3] {
    let (mut sentences, mut listed, mut advice) = (Vec::new(), Vec::new(), Html::default());
    for part in parts(answer, unmask) {
        match part {
            Part::Says(text) => sentences.push(el("p", &[], data(&text))),
            Part::Listed(title, lines) => {
                let lines: Vec<Html> = lines.iter().map(|text| el("li", &[], several(text))).collect();
                listed.push(el("div", &[], vec![el("h3", &[], title), el("ul", &[("class", "lines")], lines)]));
            }
            Part::Do(all) => advice = to_do(&all),
        }
    }
    if advice.is_empty() {
        advice = el("p", &[("class", "empty")], "Nothing.");
    }
    [
        section("why", "Why", sentences),
        section("todo", TO_DO, advice),
        section("facts", "What that rests on", el("div", &[("class", "cards")], listed)),
    ]
}

/// A text of several lines.
fn several(text: &str) -> Html {
    let lines: Vec<Html> = text.lines().map(data).collect();
    let mut all = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        if at > 0 {
            all.push(crate::cli::plugin::html::void("br", &[]));
        }
        all.push(line);
    }
    all.into()
}

/// One Revocation: its way, and a row for each credential.
fn of_revocation(revocation: &Revocation, unmask: bool) -> Html {
    let phase = revocation.status.as_ref().and_then(|status| status.phase).unwrap_or(Phase::Held);
    let verified = revocation.status.as_ref().is_some_and(|status| status.verified.is_some());
    let (words, tone) = phase_words(phase, verified);
    let name = revocation.name_any();
    let id = format!("r-{name}");
    let heading = format!("{id}-title");
    let title = vec![Html::from(format!("{} ", called(revocation.spec.operation))), chip(tone, words)];
    let rows = credentials(revocation, unmask);
    let head = ["What is theirs", "What is done", "Done", "Then", "How that is known"];
    let inside = vec![
        el("h2", &[("id", &heading)], title),
        el("p", &[("class", "small")], data(&name)),
        steps(revocation),
        table("What happens to each credential and right", &head, rows.iter().map(row).collect()),
    ];
    el("section", &[("id", &id), ("aria-labelledby", &heading), ("data-part", "")], inside)
}

/// The way from the exit to the proof, with how long each step came after the exit.
fn steps(revocation: &Revocation) -> Html {
    let way = way(revocation);
    let begun = way.iter().find_map(|(_, at)| *at);
    let step = |(name, at): &(&'static str, Option<Timestamp>)| {
        let class = if at.is_some() { "done" } else { "open" };
        let when = at.map_or_else(|| Html::from("not yet"), time);
        let after = at.zip(begun).map(|(at, begun)| at.duration_since(begun).as_secs()).filter(|after| *after > 0);
        let after = after.map(|after| el("span", &[("class", "name")], format!("after {}", lasts(after))));
        el("li", &[("class", class)], vec![el("b", &[], *name), when, after.into()])
    };
    el("ol", &[("class", "way")], way.iter().map(step).collect::<Vec<_>>())
}

fn row(one: &Credential) -> Vec<Html> {
    let dated = |html: Html, at: Timestamp| Html::from([html, el("span", &[("class", "name")], time(at))]);
    let done = one.done.map_or_else(|| Html::from("not yet"), |(words, at)| dated(Html::from(words), at));
    let seen = match (one.seen, one.done) {
        (Some((words, at)), _) => dated(chip(one.tone, words), at),
        (None, Some(_)) => chip(one.tone, "not proved yet"),
        (None, None) => nothing(),
    };
    vec![data(&one.what), Html::from(one.action), done, seen, data(&one.how)]
}

fn line(moments: &[Moment]) -> Html {
    if moments.is_empty() {
        return el("p", &[("class", "empty")], "Nothing has happened to their access.");
    }
    let one = |moment: &Moment| {
        let class = super::overview::moment_class(moment);
        el("li", &[("class", class)], vec![time(moment.at), data(&moment.what)])
    };
    el("ol", &[("class", "moments")], moments.iter().map(one).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, query};
    use super::*;
    use crate::cli::plugin::people::words;

    #[test]
    fn the_page_says_what_why_says_line_by_line() {
        let (world, query) = (company(), query("name=p-7"));
        let look = look(&world, &query, true);
        let page = page(&look, Ok(&None)).unwrap();
        let seven = world.people.iter().find(|person| person.name_any() == "p-7").unwrap();
        let answer = decide(&world, seven, Owned::NotAllowed, look.now);
        let said = words::answer(&answer, true);
        let text = |html: &str| {
            let (mut text, mut inside) = (String::new(), false);
            for sign in html.chars() {
                inside = sign == '<' || (inside && sign != '>');
                if !inside && sign != '>' {
                    text.push(sign);
                }
            }
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&#39;", "'")
                .replace("&quot;", "\"")
                .replace("&amp;", "&")
        };
        let shown = text(page.body.as_str()).replace("Copy", "");
        assert!(said.lines().count() > 8, "{said}");
        for line in said.lines().map(|line| line.trim().trim_end_matches(':')) {
            assert!(shown.contains(line), "{line}\n{shown}");
        }
    }

    #[test]
    fn nobody_has_no_page() {
        let (world, query) = (company(), query("name=p-nobody"));
        assert!(page(&look(&world, &query, false), Ok(&None)).is_none());
    }
}
