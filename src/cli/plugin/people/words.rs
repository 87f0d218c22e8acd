//! The answer in plain sentences. HR ids stand for people; names only where they are asked for.

mod access;
mod advice;
mod reasons;

use jiff::Timestamp;

pub use self::advice::{Advice, advice};
use self::reasons::{in_words, role, sentence};
use super::answer::{Answer, Freshness, Manages, Next, Role, Says, Source};
use super::owned::{Owned, Thing, Whose};
use super::turns::{RecordTurn, Turn};
use crate::api::policy::Mode;
use crate::api::revocation::{Operation, Phase};
use crate::cli::terminal::plain;
use domain::lifecycle::{State, Why};
use domain::roster::EmploymentState;

/// Most objects that are listed.
const MAX_LISTED: usize = 20;
/// Digits of a digest that are shown where nobody has to type it.
const DIGITS: usize = 12;

/// A part of the answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// A sentence, or several.
    Says(String),
    /// Lines under a title.
    Listed(&'static str, Vec<String>),
    /// What the reader can do.
    Do(Vec<Advice>),
}

/// The whole answer.
pub fn answer(answer: &Answer, unmask: bool) -> String {
    let parts: Vec<String> = parts(answer, unmask)
        .into_iter()
        .map(|part| match part {
            Part::Says(text) => text,
            Part::Listed(title, lines) => section(title, lines),
            Part::Do(advice) => section(TO_DO, advice.into_iter().map(|one| one.text)),
        })
        .collect();
    parts.iter().flat_map(|part| part.lines()).map(plain).collect::<Vec<_>>().join("\n")
}

/// The title of what the reader can do.
pub const TO_DO: &str = "What you can do";

/// The answer in its parts.
pub fn parts(answer: &Answer, unmask: bool) -> Vec<Part> {
    let listed = |title, lines: Vec<String>| Part::Listed(title, lines);
    let mut parts = vec![Part::Says(who(answer, unmask))];
    parts.extend(standing(answer).into_iter().map(Part::Says));
    parts.push(listed("What the HR records say", answer.says.iter().map(says).collect()));
    parts.push(listed("How new that is", answer.sources.iter().map(source).collect()));
    parts.push(Part::Says(manages(&answer.policy)));
    parts.extend(answer.hold.as_ref().map(|hold| {
        Part::Says(format!("A hold keeps their access as it is until {:.0}: {}", hold.until, hold.reason))
    }));
    parts.push(owned(&answer.owned));
    parts.extend(access::access(answer, unmask));
    parts.extend(answer.position.lines(&answer.person, unmask).into_iter().map(Part::Says));
    parts.push(match answer.next.as_slice() {
        [] => Part::Says("Nothing is to come that is known of.".to_owned()),
        next => listed(
            "What happens next, unless a new response says otherwise",
            next.iter().map(|one| coming(one, &answer.policy)).collect(),
        ),
    });
    parts.push(match answer.commands.as_slice() {
        [] => Part::Says("There is nothing for you to do.".to_owned()),
        commands => Part::Do(commands.iter().map(|one| advice(one, &answer.namespace)).collect()),
    });
    parts
}

fn section(title: &str, lines: impl IntoIterator<Item = String>) -> String {
    let lines: Vec<_> = lines.into_iter().map(|line| format!("  {}", line.replace('\n', "\n    "))).collect();
    format!("{title}:\n{}", lines.join("\n"))
}

fn who(answer: &Answer, unmask: bool) -> String {
    let several = if answer.records.len() == 1 { "" } else { "s" };
    let names: Vec<_> = answer.name.iter().flatten().filter(|_| unmask).cloned().collect();
    let names = if names.is_empty() { String::new() } else { format!(", {}", names.join(", ")) };
    format!("{} is HR record{several} {}{names}.", answer.person, answer.records.join(", "))
}

fn standing(answer: &Answer) -> Vec<String> {
    let Some(standing) = &answer.standing else {
        return vec![
            "No trusted response has said anything of them yet: nothing is done, and access stands.".to_owned(),
        ];
    };
    let (state, since) = (standing.state, standing.since);
    let together = together(answer, standing);
    let access = if matches!(state, State::Leave | State::Suspended) { access_on_leave(answer) } else { "" };
    let mut lines = vec![format!("{}{access} ({} since {since:.0}).{together}", in_words(state), state.as_str())];
    lines.extend(standing.out.map(|out| format!("They are out of the policy's scope: {}.", out.words())));
    lines.extend(standing.leaves_scope.map(|out| {
        format!(
            "The response that says they leave would also put them out of scope ({}): a human decides.",
            out.words()
        )
    }));
    if let Some(left) = &standing.left {
        let run = left.run.as_deref().map(|run| format!(", and counted in run {run}")).unwrap_or_default();
        lines.push(format!("It takes effect from {:.0}; it was seen at {:.0}{run}.", left.effective, left.seen));
        let late = super::list::late((left.effective, left.seen));
        if !late.is_empty() && !left.baseline && standing.why != Why::Declared {
            lines.push(format!("HR reported it {late} late."));
        }
        if left.baseline {
            lines.push(
                "They had left at the baseline, when first seen, or when they came into scope: revoking needs approval."
                    .to_owned(),
            );
        }
        if left.announced {
            lines.push(
                "Two responses a day apart announced the day, so it does not count against the limits.".to_owned(),
            );
        }
    }
    lines
}

/// What became of the access of somebody on leave.
fn access_on_leave(answer: &Answer) -> &'static str {
    let phase = |wanted: Phase| answer.told.iter().any(|told| told.present && told.phase == wanted);
    match (phase(Phase::Frozen), phase(Phase::Revoked)) {
        (true, _) => ", and what they would change in the cluster is refused; they can still read",
        (false, true) => ", and what was theirs is revoked until they are back",
        (false, false) => ", and access stands",
    }
}

/// Why the state follows from all records together, where none of them says it alone.
fn together(answer: &Answer, standing: &EmploymentState) -> String {
    let ended = match (answer.says.len(), standing.state) {
        (0 | 1, _) => "",
        (_, State::Terminated) => " All of their records have ended.",
        _ => " They have left only once all of their records have ended.",
    };
    if answer.says.iter().any(|says| says.why == Some(standing.why)) {
        return ended.to_owned();
    }
    format!("{ended} {}", sentence(standing.why))
}

fn says(says: &Says) -> String {
    let mut line = format!("{} {}.", says.record, role(says.role));
    let told = says.why.filter(|_| !matches!(says.role, Role::Tells(_)));
    if let (Some(why), Some(since)) = (told, says.since) {
        line.push_str(&format!(" {} It has said so since {since:.0}.", sentence(why)));
    }
    let days = [("first day", says.start), ("last day", says.last_day)];
    let days: Vec<_> = days.into_iter().filter_map(|(what, day)| Some(format!("{what} {}", day?))).collect();
    if !days.is_empty() {
        line.push_str(&format!("\n{}", days.join(", ")));
        if let Some(notice) = says.notice {
            let again = if notice.confirmed { ", and again about a day later or more" } else { "" };
            line.push_str(&format!("; announced at {:.0}{again}", notice.at));
        }
    }
    says.account.iter().for_each(|fact| line.push_str(&format!("\n{fact}")));
    if let Some(out) = says.out {
        line.push_str(&format!("\nout of scope: {}", out.words()));
    }
    if let Some(since) = says.missing_since {
        line.push_str(&format!(
            "\nTrusted responses no longer name it since {since:.0}. That ends nothing: what was last said stands."
        ));
    }
    if let Some(word) = &says.word {
        let read = word.read.map(|read| format!(", read at {read:.0}")).unwrap_or_default();
        line.push_str(&format!("\nby response {}{read}", digest(&word.response)));
    }
    line
}

fn digest(text: &str) -> String {
    text.chars().take(DIGITS).collect()
}

fn source(source: &Source) -> String {
    let mut line = match source.freshness {
        Freshness::Gone => format!("{}: there is no such HRConnection; announced last days go on.", source.name),
        Freshness::NeverTrusted => format!("{}: no response of it has been trusted yet.", source.name),
        Freshness::Fresh(at) => format!("{}: its trusted response of {at:.0} is fresh.", source.name),
        Freshness::Stale(at) => {
            format!("{}: its trusted response of {at:.0} is older than trust.staleAfter allows.", source.name)
        }
    };
    if let Some((reason, response)) = &source.held {
        let reason = reason.map_or("a reason of another version", |reason| reason.as_str());
        line.push_str(&match response {
            Some(_) => format!("\nIts newest response is held ({reason}): what the one before said stands."),
            None => {
                format!("\nIts newest attempt brought no whole response ({reason}): what the one before said stands.")
            }
        });
    }
    line
}

fn manages(policy: &Manages) -> String {
    match policy {
        Manages::Nobody => "No policy manages them yet.".to_owned(),
        Manages::Gone(name) => {
            format!(
                "The policy {name} that managed them is gone: nothing more happens to them until one reads their records."
            )
        }
        Manages::Policy { name, mode, settled, remove_after: _, trouble } => {
            let mode = match mode {
                Mode::Observe => "Observe: it plans and reports, and ends nobody's access",
                Mode::Enforce => "Enforce",
            };
            let settled = match settled {
                true => "",
                false => {
                    " Its baseline is not settled: nobody becomes a leaver, and nothing is released, before it is."
                }
            };
            let trouble = trouble.as_ref().map(|why| format!(" It is not ready: {why}")).unwrap_or_default();
            format!("Policy {name} ({mode}) manages them.{settled}{trouble}")
        }
    }
}

fn owned(owned: &Owned) -> Part {
    match owned {
        Owned::NotAllowed => Part::Says(
            "What they own in the cluster is not known: you may not list ServiceAccounts and bindings of all namespaces."
                .to_owned(),
        ),
        Owned::Things(things) if things.is_empty() => {
            Part::Says("Nothing in the cluster names them: no owner annotation, and no binding.".to_owned())
        }
        Owned::Things(things) => {
            let more = things.len().saturating_sub(MAX_LISTED);
            let rest = (more > 0).then(|| format!("and {more} more"));
            let lines = things.iter().take(MAX_LISTED).map(thing).chain(rest);
            Part::Listed("What names them in the cluster", lines.collect())
        }
    }
}

fn thing(thing: &Thing) -> String {
    let whose = match thing.whose {
        Whose::Theirs => "",
        Whose::WorksHere => ": in use by another HR record of the same human",
        Whose::Ambiguous => ": may also be somebody else's, who works here",
    };
    format!("{}{whose}", thing.what)
}

pub(super) fn coming(next: &Next, policy: &Manages) -> String {
    let at = next.at();
    match next {
        Next::Turn(turn) => coming_turn(turn, policy),
        Next::Due(name, Operation::Cut, _) => format!("{at:.0}: {name} may revoke, once its gates are open"),
        Next::Due(name, Operation::Remove, _) => {
            format!("{at:.0}: {name} may delete what was recreated, once its gates are open (removeAfter)")
        }
        Next::Due(name, Operation::Freeze, _) => format!("{at:.0}: {name} may freeze, once its gates are open"),
        Next::Opens(name, _) => format!("{at:.0}: the gate of {name} opens"),
        Next::HoldEnds(_) => format!("{at:.0}: the hold ends"),
        Next::Expires(what, _) => format!("{at:.0}: {what} ends by itself"),
        Next::Read(name, _) => format!("{at:.0}: {name} is read again"),
    }
}

/// `2026-03-31T22:00:00Z, 2026-04-01 00:00 in Europe/Madrid: …`.
fn coming_turn(turn: &Turn, policy: &Manages) -> String {
    let mut what: Vec<String> = turn.records.iter().map(record_turn).collect();
    what.extend(turn.person.map(|(state, _)| match state {
        State::Terminated => format!("they have left: {}", revoked(policy)),
        State::Active => "they work here".to_owned(),
        State::PreHire => "they start later: nothing is revoked".to_owned(),
        State::Leave | State::Suspended | State::OutOfScope | State::Unknown => {
            format!("they are {}: nothing is revoked", state.as_str())
        }
    }));
    if turn.person.is_none() {
        what.push("nothing changes for the person".to_owned());
    }
    format!("{:.0}{}: {}", turn.at, there(turn.at, &turn.zone), what.join("; "))
}

/// What a policy does to the access of a leaver.
fn revoked(policy: &Manages) -> String {
    match policy {
        Manages::Policy { mode: Mode::Enforce, remove_after, .. } => format!(
            "their access is revoked at once if every gate is open, and what was recreated is deleted {remove_after} later"
        ),
        Manages::Policy { mode: Mode::Observe, .. } => "the policy observes, and access stands".to_owned(),
        Manages::Nobody | Manages::Gone(_) => "no policy acts, and access stands".to_owned(),
    }
}

fn record_turn(turn: &RecordTurn) -> String {
    let day = turn.last_day.map(|day| format!(" (last day {day})")).unwrap_or_default();
    match turn.state {
        State::Terminated => format!("{} has ended{day}", turn.record),
        State::Active => format!("{} has begun{day}", turn.record),
        other => format!("{} is {}", turn.record, other.as_str()),
    }
}

/// The instant by the clock on the wall there; nothing where the zone is not known.
fn there(at: Timestamp, zone: &str) -> String {
    let local = at.in_tz(zone).map(|local| local.strftime("%Y-%m-%d %H:%M").to_string());
    local.map(|local| format!(", {local} in {zone}")).unwrap_or_default()
}
