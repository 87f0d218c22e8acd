//! How it stands now: figures, what waits for somebody, what just happened, what comes next.

use jiff::SignedDuration;
use kube::ResourceExt;

use super::{Look, Stop, today};
use crate::api::condition::{ConditionType, Status};
use crate::api::person::State;
use crate::api::revocation::Phase;
use crate::api::{HRConnection, Revocation};
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::people::list::Row;
use crate::cli::plugin::people::{record, words};
use crate::cli::plugin::report::leavers;
use crate::cli::plugin::ui::frame::{
    self, Page, chip, command, many, or_nothing, person, section, table, thousands, time,
};
use crate::cli::plugin::ui::timeline::{Moment, moments};

/// Moments that are shown.
const MOMENTS: usize = 12;
/// What comes next, of which are shown.
const COMING: usize = 6;
/// What happened longer ago is not news.
const NEWS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The figures at the top.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    work_here: usize,
    left: usize,
    unknown: usize,
    held: usize,
    under_way: usize,
    failed: usize,
    back: usize,
}

impl Figures {
    fn of(look: &Look<'_>) -> Self {
        let mut figures = Self::default();
        for person in &look.world.people {
            match person.status.as_ref().and_then(|status| Some(status.employment.as_ref()?.state)) {
                Some(State::Active | State::Leave | State::Suspended) => figures.work_here += 1,
                Some(State::Unknown) | None => figures.unknown += 1,
                Some(State::PreHire | State::Terminated | State::OutOfScope) => {}
            }
        }
        let today = today(look.now);
        let days = super::leavers::days("", "", today);
        figures.left = leavers::rows(look.world, &[], days, look.now).iter().filter(|row| !row.is_of_drill()).count();
        for revocation in &look.world.revocations {
            match revocation.status.as_ref().and_then(|status| status.phase) {
                Some(Phase::Held) | None => figures.held += 1,
                Some(Phase::Released) => figures.under_way += 1,
                Some(Phase::Failed) => figures.failed += 1,
                Some(Phase::Revoked | Phase::Cancelled | Phase::Frozen | Phase::Lifted) => {}
            }
            figures.back += usize::from(is_back(revocation));
        }
        figures
    }
}

/// Whether something that was ended works, or is there, again.
pub fn is_back(revocation: &Revocation) -> bool {
    let Some(status) = &revocation.status else { return false };
    !status.returned.is_empty() || status.recheck.as_ref().is_some_and(|recheck| !recheck.refuted.is_empty())
}

/// The page.
pub fn page(look: &Look<'_>, stop: &Stop, coming: &[Row]) -> Page {
    let figures = Figures::of(look);
    let rows: Vec<&Row> = coming.iter().take(COMING).collect();
    let body = Html::from([
        el("div", &[("id", "stop"), ("data-part", "")], stopped(stop)),
        el("div", &[("id", "figures"), ("data-part", "")], figures_of(&figures)),
        section("waits", "Waits for somebody", waiting(look, stop, &figures)),
        section("happened", "What happened last", happened(look)),
        section("soon", "What comes next", super::next::listed(&rows, look.now, look.unmask)),
        section("sources", "Where people are read from", sources(look)),
    ]);
    Page { of: "", title: "Now".to_owned(), live: true, body }
}

/// Whether everything is stopped.
pub fn stopped(stop: &Stop) -> Html {
    match stop {
        Stop::Open => Html::default(),
        Stop::Stopped(why) => el(
            "div",
            &[("class", "notice bad")],
            vec![
                el("p", &[], vec![Html::from("All revocations are stopped: "), data(why)]),
                command("kubectl rollcall stop --lift"),
            ],
        ),
        Stop::Unknown(why) => el(
            "div",
            &[("class", "notice waits")],
            el("p", &[], format!("Whether revocations are stopped is not known: {why}")),
        ),
    }
}

fn figures_of(figures: &Figures) -> Html {
    let one = |number: usize, what: &str, href: &str, bad: bool| {
        let class = if bad && number > 0 { "bad" } else { "" };
        let number = el("dd", &[], el("a", &[("href", href)], thousands(number)));
        el("div", &[("class", class)], vec![el("dt", &[], what), number])
    };
    let all = vec![
        one(figures.work_here, "work here", "people", false),
        one(figures.left, "left in 30 days", "leavers", false),
        one(figures.under_way, "being revoked", "leavers", false),
        one(figures.held, "held", "held", false),
        one(figures.failed, "failed", "held#failed", true),
        one(figures.back, "with access back", "held#back", true),
        one(figures.unknown, "cannot be told", "people?state=Unknown", false),
    ];
    el("dl", &[("class", "figures")], all)
}

/// What does not go on by itself, with the command that lets it go on.
fn waiting(look: &Look<'_>, stop: &Stop, figures: &Figures) -> Html {
    let mut all: Vec<Html> = Vec::new();
    for (batch, number) in look.world.batches() {
        let what = format!("{} held by the limits, as one batch: ", many(number, "Revocation", "Revocations"));
        all.push(el("li", &[], vec![Html::from(what), command(&format!("kubectl rollcall approve --batch {batch}"))]));
    }
    for connection in &look.world.connections {
        all.extend(held_answer(connection, look).map(|said| el("li", &[], said)));
    }
    for (number, what, href) in [
        (figures.failed, "failed: not everything is proved refused", "held#failed"),
        (figures.back, "ended something that is back", "held#back"),
    ] {
        if number > 0 {
            let words = format!("{} {what}", many(number, "Revocation", "Revocations"));
            all.push(el("li", &[], el("a", &[("href", href)], words)));
        }
    }
    if matches!(stop, Stop::Stopped(_)) {
        all.push(el("li", &[], "Everything is stopped, until somebody lifts the stop."));
    }
    if all.is_empty() {
        return el("p", &[("class", "empty")], "Nothing waits for a decision of yours that is known here.");
    }
    el("ul", &[("class", "todo")], all)
}

/// Why the newest response of a connection is held, with what to do.
pub fn held_answer(connection: &HRConnection, look: &Look<'_>) -> Option<Html> {
    let status = connection.status.as_ref()?;
    let held = status.conditions.iter().find(|one| one.is(ConditionType::Trusted, Status::False))?;
    let name = connection.name_any();
    let response = status.last_attempt.as_ref().and_then(|attempt| attempt.response.clone());
    let what_to_do = match response {
        Some(response) => {
            words::advice(&crate::cli::plugin::people::answer::Command::Accept(name.clone(), response), look.namespace)
        }
        None => words::advice(&crate::cli::plugin::people::answer::Command::Connection(name.clone()), look.namespace),
    };
    let said = el("p", &[], vec![data(&name), Html::from(format!(": {}: {}", held.reason, held.message))]);
    Some(Html::from([said, frame::to_do(&[what_to_do])]))
}

/// The newest moments of all Revocations.
fn happened(look: &Look<'_>) -> Html {
    let all = look.world.revocations.iter().filter(|one| one.spec.policy != crate::api::names::DRILL);
    let mut newest: Vec<Moment> = Vec::new();
    for revocation in all {
        let recent = |moment: &Moment| moment.at <= look.now && moment.at > look.now - NEWS;
        newest.extend(moments(revocation, look.unmask).into_iter().filter(recent));
        if newest.len() > MOMENTS * 64 {
            keep_newest(&mut newest);
        }
    }
    keep_newest(&mut newest);
    if newest.is_empty() {
        return el("p", &[("class", "empty")], "Nothing in thirty days.");
    }
    let line = |moment: &Moment| {
        let whom = look.world.people.iter().find(|one| one.metadata.name.as_deref() == Some(&moment.person));
        let records: Vec<String> = whom.map(|one| one.spec.records.iter().map(record).collect()).unwrap_or_default();
        let who = person(&moment.person, &records, None);
        let class = moment_class(moment);
        el(
            "li",
            &[("class", class)],
            vec![time(moment.at), el("span", &[], vec![who, Html::from(": "), data(&moment.what)])],
        )
    };
    el("ol", &[("class", "moments")], newest.iter().map(line).collect::<Vec<_>>())
}

fn keep_newest(moments: &mut Vec<Moment>) {
    moments.sort_by_key(|moment| std::cmp::Reverse(moment.at));
    moments.truncate(MOMENTS);
}

/// The class of a moment in the style sheet.
pub const fn moment_class(moment: &Moment) -> &'static str {
    match moment.tone {
        frame::Tone::Plain => "plain",
        frame::Tone::Good => "good",
        frame::Tone::Waits => "waits",
        frame::Tone::Bad => "bad",
    }
}

fn sources(look: &Look<'_>) -> Html {
    let row = |connection: &HRConnection| {
        let status = connection.status.as_ref();
        let trusted = status.and_then(|status| status.last_trusted.as_ref());
        let (tone, words) = super::connections::standing(connection, look.now);
        vec![
            el("a", &[("href", "connections")], data(&connection.name_any())),
            chip(tone, words),
            trusted.map(|trusted| time(trusted.time)).into(),
            or_nothing(&trusted.map(|trusted| thousands(trusted.employees as usize)).unwrap_or_default()),
            frame::maybe_time(status.and_then(|status| status.next_run)),
        ]
    };
    let head = ["Connection", "Trust", "Newest trusted response", "People", "Read next"];
    table("Connections", &head, look.world.connections.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, query};
    use super::*;

    #[test]
    fn the_figures_count_people_and_what_waits() {
        let (world, query) = (company(), query(""));
        let figures = Figures::of(&look(&world, &query, false));
        let expected = Figures { work_here: 2, left: 1, unknown: 1, held: 1, under_way: 0, failed: 0, back: 0 };
        assert_eq!(figures, expected);
    }

    #[test]
    fn a_stop_is_shown_before_everything_else_and_one_that_cannot_be_read_is_not_called_open() {
        let (world, query) = (company(), query(""));
        let shown = |stop: Stop| page(&look(&world, &query, false), &stop, &[]).body.as_str().to_owned();
        assert!(
            shown(Stop::Stopped("a <b>reason</b>".into()))
                .contains("All revocations are stopped: <bdi>a &lt;b&gt;reason")
        );
        assert!(shown(Stop::Unknown("forbidden".into())).contains("is not known: forbidden"));
        assert!(!shown(Stop::Open).contains("stopped"));
    }

    #[test]
    fn a_batch_that_the_limits_hold_is_shown_with_the_command_that_approves_it() {
        let (world, query) = (company(), query(""));
        let body = page(&look(&world, &query, false), &Stop::Open, &[]).body;
        assert!(body.as_str().contains("data-copy=\"kubectl rollcall approve --batch b-1\""), "{body:?}");
    }
}
