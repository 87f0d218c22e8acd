//! What is held and why, by gate, with the command that opens it; what failed; and what is back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Look, Stop, lead};
use crate::api::person::State;
use crate::api::revocation::Phase;
use crate::api::{Person, Revocation};
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::people::answer::decide_with;
use crate::cli::plugin::people::owned::Owned;
use crate::cli::plugin::people::turns::Ahead;
use crate::cli::plugin::people::words::{self, Advice};
use crate::cli::plugin::people::{World, record};
use crate::cli::plugin::ui::frame::{
    Page, Tone, chip, command, maybe_time, nothing, person, section, table, thousands, to_do,
};
use crate::cli::plugin::ui::lists::{self, Cut, ROWS};
use crate::cli::plugin::ui::timeline::called;

/// A Revocation that does not go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    revocation: String,
    person: String,
    records: Vec<String>,
    what: &'static str,
    gate: String,
    message: String,
    since: Option<Timestamp>,
    opens: Option<Timestamp>,
}

/// The page.
pub fn page(look: &Look<'_>, stop: &Stop) -> Page {
    let mut held = held(look.world);
    let only = look.query.get("gate").to_owned();
    let gates = by_gate(&held);
    held.retain(|one| only.is_empty() || one.gate == only);
    let cut = Cut::of(Some(look.query.get("page")), held.len());
    let shown: Vec<&Held> = held.iter().skip(cut.before()).take(ROWS).collect();
    let links = || cut.links("held", &[("gate", &only)]);
    let body = Html::from([
        lead("What does not go on by itself, why, and the command that decides it. Nothing is decided on this page."),
        el("div", &[("id", "stop"), ("data-part", "")], super::overview::stopped(stop)),
        section("gates", "Gates that are shut", gates_of(&gates, &only)),
        section("batches", "Batches that the limits hold", batches(look.world)),
        section("revocations", "Revocations that are held", vec![links(), rows(&shown, look), links()]),
        section("failed", "Revocations that failed", of_phase(look, |one| phase(one) == Some(Phase::Failed), "Failed")),
        section("back", "Access that is back", of_phase(look, super::overview::is_back, "Back")),
        section("answers", "Responses of HR systems that are held", answers(look)),
        section("holds", "People whom somebody holds", holds(look)),
        section("unknown", "People of whom it cannot be told", unknown(look.world)),
    ]);
    Page { of: "held", title: "Held, and why".to_owned(), live: true, body }
}

fn phase(revocation: &Revocation) -> Option<Phase> {
    revocation.status.as_ref().and_then(|status| status.phase)
}

/// The HR records of people, by the name of their Person.
struct Records<'w>(BTreeMap<&'w str, &'w Person>);

impl<'w> Records<'w> {
    fn of(world: &'w World) -> Self {
        Self(world.people.iter().filter_map(|person| Some((person.metadata.name.as_deref()?, person))).collect())
    }

    fn get(&self, name: &str) -> Vec<String> {
        self.0.get(name).map(|person| person.spec.records.iter().map(record).collect()).unwrap_or_default()
    }
}

/// Every Revocation that is held, by gate; within one, the one that is due first.
fn held(world: &World) -> Vec<Held> {
    let records = Records::of(world);
    let of = |revocation: &Revocation| {
        let status = revocation.status.clone().unwrap_or_default();
        let gate = status.gate;
        (status.phase.unwrap_or(Phase::Held) == Phase::Held).then(|| Held {
            revocation: revocation.name_any(),
            person: revocation.spec.person.clone(),
            records: records.get(&revocation.spec.person),
            what: called(revocation.spec.operation),
            gate: gate.as_ref().map_or_else(|| "Planning".to_owned(), |gate| gate.reason.clone()),
            message: gate.as_ref().map_or_else(|| "It is being planned.".to_owned(), |gate| gate.message.clone()),
            since: Some(revocation.spec.due),
            opens: gate.and_then(|gate| gate.until),
        })
    };
    let mut held: Vec<Held> = world.revocations.iter().filter_map(of).collect();
    held.sort_by(|one, other| {
        (&one.gate, one.since, &one.revocation).cmp(&(&other.gate, other.since, &other.revocation))
    });
    held
}

fn by_gate(held: &[Held]) -> Vec<(String, usize)> {
    let mut gates: BTreeMap<&str, usize> = BTreeMap::new();
    for one in held {
        *gates.entry(&one.gate).or_default() += 1;
    }
    gates.into_iter().map(|(gate, many)| (gate.to_owned(), many)).collect()
}

fn gates_of(gates: &[(String, usize)], only: &str) -> Html {
    let row = |(gate, many): &(String, usize)| {
        let href = if gate == only { "held".to_owned() } else { lists::query("held", &[("gate", gate)]) };
        let words = if gate == only { "Show all" } else { "Show only these" };
        let link = el("a", &[("href", &href), ("aria-label", &format!("{words}: {gate}"))], words);
        vec![chip(Tone::Waits, data(gate)), Html::from(thousands(*many)), link]
    };
    table("Gates", &["Gate", "Revocations", ""], gates.iter().map(row).collect())
}

fn batches(world: &World) -> Html {
    let row = |(batch, many): (&str, usize)| {
        let approve = command(&format!("kubectl rollcall approve --batch {batch}"));
        let reject = command(&format!("kubectl rollcall reject --batch {batch} --reason REASON"));
        vec![data(batch), Html::from(thousands(many)), approve, reject]
    };
    table(
        "Batches",
        &["Batch", "Revocations", "To approve all of it", "To reject all of it"],
        world.batches().into_iter().map(row).collect(),
    )
}

fn rows(held: &[&Held], look: &Look<'_>) -> Html {
    let ahead = Ahead::of(look.world, look.now);
    let row = |one: &&Held| {
        vec![
            person(&one.person, &one.records, None),
            Html::from([Html::from(one.what), el("span", &[("class", "name")], data(&one.revocation))]),
            chip(Tone::Waits, data(&one.gate)),
            data(&one.message),
            maybe_time(one.since),
            maybe_time(one.opens),
            commands(&one.person, look, &ahead),
        ]
    };
    let head = ["Person", "What", "Gate", "Why", "Due", "Opens by itself", "What you can do"];
    table("Revocations that are held", &head, held.iter().map(row).collect())
}

/// What the reader can do about somebody: what `why` says.
fn commands(name: &str, look: &Look<'_>, ahead: &Ahead) -> Html {
    let Some(person) = look.world.people.iter().find(|person| person.metadata.name.as_deref() == Some(name)) else {
        return nothing();
    };
    let answer = decide_with(look.world, ahead, person, Owned::NotAllowed, look.now);
    let advice: Vec<Advice> = answer.commands.iter().map(|one| words::advice(one, look.namespace)).collect();
    if advice.is_empty() { nothing() } else { to_do(&advice) }
}

fn of_phase(look: &Look<'_>, wanted: impl Fn(&Revocation) -> bool, chip_words: &'static str) -> Html {
    let found: Vec<&Revocation> = look.world.revocations.iter().filter(|one| wanted(one)).take(ROWS).collect();
    let (ahead, records) = (Ahead::of(look.world, look.now), Records::of(look.world));
    let row = |one: &&Revocation| {
        vec![
            person(&one.spec.person, &records.get(&one.spec.person), None),
            Html::from([
                Html::from(called(one.spec.operation)),
                el("span", &[("class", "name")], data(&one.name_any())),
            ]),
            chip(Tone::Bad, chip_words),
            commands(&one.spec.person, look, &ahead),
        ]
    };
    table("Revocations", &["Person", "What", "State", "What you can do"], found.iter().map(row).collect())
}

fn answers(look: &Look<'_>) -> Html {
    let held: Vec<Html> =
        look.world.connections.iter().filter_map(|one| super::overview::held_answer(one, look)).collect();
    if held.is_empty() { el("p", &[("class", "empty")], "None.") } else { held.into() }
}

fn holds(look: &Look<'_>) -> Html {
    let row = |one: &Person| {
        let hold = one.spec.hold.as_ref().filter(|hold| hold.until > look.now)?;
        let records: Vec<String> = one.spec.records.iter().map(record).collect();
        Some(vec![person(&one.name_any(), &records, None), data(&hold.reason), maybe_time(Some(hold.until))])
    };
    table("Holds", &["Person", "Why", "Until"], look.world.people.iter().filter_map(row).take(ROWS).collect())
}

fn unknown(world: &World) -> Html {
    let employment = |one: &Person| one.status.as_ref().and_then(|status| status.employment.clone());
    let mut by_reason: BTreeMap<String, usize> = BTreeMap::new();
    for one in &world.people {
        if let Some(employment) = employment(one).filter(|employment| employment.state == State::Unknown) {
            *by_reason.entry(employment.why).or_default() += 1;
        }
    }
    let row = |(why, many): (&String, &usize)| {
        let link = el("a", &[("href", "people?state=Unknown")], "Show them");
        vec![chip(Tone::Waits, data(why)), Html::from(thousands(*many)), link]
    };
    table("People of whom it cannot be told", &["Why", "People", ""], by_reason.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, query};
    use super::*;

    #[test]
    fn what_is_held_has_its_gate_its_words_and_the_commands_that_why_prints() {
        let (world, query) = (company(), query(""));
        let look = look(&world, &query, false);
        let html = page(&look, &Stop::Open).body;
        let html = html.as_str();
        assert!(html.contains("OverLimit") && html.contains("3 leavers are more than 2 a day"), "{html}");
        let seven = world.people.iter().find(|person| person.name_any() == "p-7").unwrap();
        let answer = crate::cli::plugin::people::answer::decide(&world, seven, Owned::NotAllowed, look.now);
        let said = words::answer(&answer, false);
        let commands: Vec<_> =
            answer.commands.iter().filter_map(|one| words::advice(one, look.namespace).command).collect();
        assert!(!commands.is_empty());
        for command in commands {
            assert!(html.contains(&format!("data-copy=\"{command}\"")) && said.contains(&command), "{command}");
        }
    }

    #[test]
    fn one_gate_can_be_shown_alone() {
        let (world, none) = (company(), query("gate=Hold"));
        let html = page(&look(&world, &none, false), &Stop::Open).body;
        assert!(html.as_str().contains("Revocations that are held: none."), "{html:?}");
    }
}
