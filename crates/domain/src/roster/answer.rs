//! Everybody an answer names, and then everybody it does not.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use jiff::Timestamp;

use super::calendar::{Calendar, Day};
use super::{Access, Draft, KnownPerson, RosterEntry, Rules, Scoped, TrustedResponse, person, person_name};
use crate::employee::{Employee, HrId, Manager, Text};
use crate::lifecycle::{DerivedState, State, derive_state};
use crate::ownership::{comparable, connection_of};
use crate::scope::{self, Out};

/// What an answer shows besides the people in it.
#[derive(Default)]
pub(super) struct OfAnswer {
    pub(super) unmatched: u32,
    pub(super) former: u32,
    pub(super) scope: Scoped,
}

/// An employee as a policy sees them today, whatever is known of them.
pub(super) struct Sight {
    pub(super) day: Rc<Day>,
    pub(super) taken: Timestamp,
    matched: bool,
    pub(super) derived: DerivedState,
    pub(super) out: Option<Out>,
}

fn sight(employee: &Employee, before: Option<&RosterEntry>, rules: &Rules<'_>, calendar: &mut Calendar<'_>) -> Sight {
    let (day, matched) = calendar.at(employee.text(Text::Location));
    let derived = derive_state(&person::facts(employee, before, &day), day.today);
    let out = rules.scope.filters().then(|| {
        let person = person_name(rules.namespace, rules.connection, &employee.id);
        rules
            .scope
            .out(employee, &scope::ScopeSubject { connection: rules.connection, person: &person, state: derived.state })
    });
    let out = out.flatten();
    Sight { day, taken: calendar.taken.unwrap_or(calendar.now), matched, derived, out }
}

/// Everybody an answer names, then everybody it does not.
pub(super) fn with_answer<'a>(
    known: &'a [KnownPerson],
    answer: TrustedResponse<'a>,
    rules: &Rules<'_>,
    calendar: &mut Calendar<'_>,
) -> (Vec<Draft<'a>>, OfAnswer) {
    let mut unnamed: HashMap<&HrId, &KnownPerson> = known.iter().map(|known| (&known.id, known)).collect();
    let managers = Managers::new(answer.employees, if answer.part { known } else { &[] });
    let mut of_answer = OfAnswer::default();
    let mut drafts = Vec::with_capacity(known.len().max(answer.employees.len()));
    let (mut strangers, mut former) = (Vec::new(), Vec::new());
    for employee in answer.employees {
        let found = unnamed.remove(&employee.id);
        let before = found.and_then(|known| known.entry.as_ref());
        let sight = sight(employee, before, rules, calendar);
        of_answer.unmatched += u32::from(!sight.matched);
        match sight.out {
            Some(out) => *of_answer.scope.excluded.entry(out).or_default() += 1,
            None => of_answer.scope.included += 1,
        }
        let manager = employee.manager.as_ref().and_then(|manager| managers.find(manager));
        let manager = manager.map(|id| person_name(rules.namespace, rules.connection, id));
        let lane = match (found, sight.out, sight.derived.state) {
            (None, Some(_), _) => &mut strangers,
            (None, None, State::Terminated) => &mut former,
            _ => &mut drafts,
        };
        let (after, event) = person::stated(employee, before, manager, &sight, rules, calendar.now);
        let access = found.map_or(Access::Stands, |known| known.access);
        lane.push(Draft { id: &employee.id, before, after, event, access, day: sight.day, leaver: false });
    }
    let rest = known.iter().filter(|known| unnamed.contains_key(&known.id));
    drafts.extend(rest.filter_map(|known| still(known, !answer.part, rules, calendar)));
    of_answer.former = owning(&drafts, &mut former, rules);
    drafts.append(&mut former);
    mistakable(&drafts, &mut strangers);
    drafts.append(&mut strangers);
    (drafts, of_answer)
}

/// Of those who are out of scope and not known, keeps those with an address or user name that somebody known has, or
/// had: without a Person of their own, what is theirs would be taken for the other's when that one leaves.
fn mistakable(known: &[Draft<'_>], strangers: &mut Vec<Draft<'_>>) {
    if strangers.is_empty() {
        return;
    }
    let aliases: HashSet<&str> = known.iter().flat_map(|draft| &draft.after.aliases).map(String::as_str).collect();
    strangers.retain(|stranger| stranger.after.aliases.iter().any(|alias| aliases.contains(alias.as_str())));
}

/// Of those who had left before anybody looked, keeps those to whom something here belongs; says how many are dropped.
///
/// A key that somebody known has too, such as an address that was given to a successor, is no reason: what carries it is
/// the other's. While it is not known who owns anything, everybody is kept.
fn owning(known: &[Draft<'_>], former: &mut Vec<Draft<'_>>, rules: &Rules<'_>) -> u32 {
    let Some(owns) = rules.owns.filter(|_| !former.is_empty()) else { return 0 };
    let taken: HashSet<String> =
        known.iter().flat_map(|draft| &draft.after.aliases).map(|key| comparable(key)).collect();
    let all = former.len();
    former.retain(|draft| {
        let connections = [rules.connection.to_owned(), connection_of(rules.namespace, rules.connection)];
        let ids = connections.map(|connection| format!("id:{connection}/{}", draft.id));
        let aliases = draft.after.aliases.iter().map(|key| comparable(key)).filter(|key| !taken.contains(key));
        ids.into_iter().chain(aliases).any(|key| owns(&key))
    });
    u32::try_from(all - former.len()).unwrap_or(u32::MAX)
}

/// A person no new statement is made of.
pub(super) fn still<'a>(
    known: &'a KnownPerson,
    missing: bool,
    rules: &Rules<'_>,
    calendar: &mut Calendar<'_>,
) -> Option<Draft<'a>> {
    let before = known.entry.as_ref()?;
    let day = calendar.named(&before.employment.zone);
    let missing_since = if missing { before.missing_since.or(calendar.taken) } else { before.missing_since };
    let (after, event) = person::unstated(&known.id, before, missing_since, rules, &day, calendar.now);
    Some(Draft { id: &known.id, before: Some(before), after, event, access: known.access, day, leaver: false })
}

/// Whom an answer can mean by a manager's address or id.
struct Managers<'a> {
    by_id: HashSet<&'a HrId>,
    by_email: HashMap<String, Option<&'a HrId>>,
}

impl<'a> Managers<'a> {
    /// `others` are known although the answer does not name them.
    fn new(employees: &'a [Employee], others: &'a [KnownPerson]) -> Self {
        let mut by_id: HashSet<&HrId> = employees.iter().map(|employee| &employee.id).collect();
        let unnamed: Vec<&KnownPerson> = others.iter().filter(|known| !by_id.contains(&known.id)).collect();
        let mut by_email: HashMap<String, Option<&HrId>> = HashMap::with_capacity(employees.len());
        let named = employees.iter().map(|employee| (&employee.id, employee.work_email.as_str()));
        let known =
            unnamed.iter().filter_map(|known| Some((&known.id, known.entry.as_ref()?.profile.work_email.as_deref()?)));
        for (id, email) in named.chain(known) {
            by_email.entry(email.to_lowercase()).and_modify(|several| *several = None).or_insert(Some(id));
        }
        by_id.extend(unnamed.iter().map(|known| &known.id));
        Self { by_id, by_email }
    }

    /// The one person meant; nobody if the answer names none, or several of that address.
    fn find(&self, manager: &Manager) -> Option<&'a HrId> {
        match manager {
            Manager::Email(address) => self.by_email.get(&address.trim().to_lowercase()).copied().flatten(),
            Manager::Id(id) => self.by_id.get(id).copied(),
        }
    }
}
