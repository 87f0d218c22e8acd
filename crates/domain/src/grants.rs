//! Grants: which bindings the rules of a policy ask for, and what of those that stand is made, removed or left. Pure.
//!
//! Nobody gets a binding but who works here now, beyond doubt, and nobody loses one while that cannot be told. What does not carry
//! our labels is nobody's business here. Many people at once who get or lose something by one rule wait for a human: an
//! expression that is always true and a column that was shifted look the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest, Sha256};

use super::lifecycle::State;

/// What is bound, where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The expression, as it is written.
    pub when: String,
    /// What is bound.
    pub role: Role,
    /// Where.
    pub namespaces: Vec<String>,
    /// What becomes of it while somebody is on leave.
    pub on_leave: OnLeave,
}

/// What is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A ClusterRole.
    Cluster(String),
    /// A Role of each namespace.
    Namespaced(String),
}

impl Role {
    /// Kind and name.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Cluster(name) => ("ClusterRole", name),
            Self::Namespaced(name) => ("Role", name),
        }
    }
}

/// What becomes of a binding while somebody is on leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLeave {
    /// It stays.
    Keep,
    /// It goes, and comes back with them.
    Remove,
}

/// Why a binding is neither made nor removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// A human's hold.
    Hold,
    /// They left, and nothing of theirs is released yet.
    NotReleased,
    /// They are on leave, and the rule lets them keep it.
    OnLeave,
    /// Their state: they start later, are out of scope, or it cannot be told.
    State,
    /// The expression fails for them, as where it names a field that is empty.
    CannotTell,
    /// The baseline of the policy is not settled.
    Unsettled,
    /// They have no user name.
    NoUserName,
    /// Another human may have a user name of theirs, or may be they.
    Doubt,
}

impl Waits {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Hold => "a human holds them",
            Self::NotReleased => "they left, and their Revocation is not released yet",
            Self::OnLeave => "they are on leave",
            Self::State => "they start later, are out of scope, or it cannot be told whether they work here",
            Self::CannotTell => "the expression fails for them, as where it names a field that is empty",
            Self::Unsettled => "the baseline of the policy is not settled",
            Self::NoUserName => "no user name follows for them",
            Self::Doubt => "a user name of theirs may be another human's",
        }
    }
}

/// What is known of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Name of their Person.
    pub person: String,
    /// Their state.
    pub state: State,
    /// They left, and their cut is released: its gates are open, its limits counted.
    pub released: bool,
    /// A human holds them.
    pub held: bool,
    /// The user names they sign in with; none where another human may have one of them.
    pub users: Option<Vec<String>>,
}

/// What a rule means for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// They have it, under these user names.
    Wanted(Vec<String>),
    /// They do not have it.
    Unwanted,
    /// They left, and have nothing.
    Gone,
    /// What stands stays, and nothing is made.
    Stays(Waits),
}

/// What a rule means for somebody; `when` is what its expression gives, none where it fails.
#[must_use]
pub fn wish(facts: &Facts, when: Option<bool>, on_leave: OnLeave) -> Wish {
    if facts.held {
        return Wish::Stays(Waits::Hold);
    }
    match (facts.state, when) {
        (State::Terminated, _) if facts.released => Wish::Gone,
        (State::Terminated, _) => Wish::Stays(Waits::NotReleased),
        (State::PreHire | State::OutOfScope | State::Unknown, _) => Wish::Stays(Waits::State),
        (State::Active | State::Leave | State::Suspended, None) => Wish::Stays(Waits::CannotTell),
        (State::Active | State::Leave | State::Suspended, Some(false)) => Wish::Unwanted,
        (State::Leave | State::Suspended, Some(true)) => match on_leave {
            OnLeave::Keep => Wish::Stays(Waits::OnLeave),
            OnLeave::Remove => Wish::Unwanted,
        },
        (State::Active, Some(true)) => match &facts.users {
            None => Wish::Stays(Waits::Doubt),
            Some(users) if users.is_empty() => Wish::Stays(Waits::NoUserName),
            Some(users) => Wish::Wanted(users.clone()),
        },
    }
}

/// A binding that is to be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The rule.
    pub rule: String,
    /// Name of the Person.
    pub person: String,
    /// The user names.
    pub users: Vec<String>,
}

/// A binding that stands with our labels, of one policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The rule.
    pub rule: String,
    /// Name of the Person.
    pub person: String,
}

/// Whose bindings these are.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The people namespace, which tells installations apart.
    pub people: &'a str,
    /// The policy.
    pub policy: &'a str,
}

/// What stands in the cluster.
#[derive(Clone, Copy, Debug)]
pub struct Cluster<'a> {
    /// Bindings with our labels, of this policy.
    pub standing: &'a [Standing],
    /// Namespace and name of bindings that are not ours.
    pub others: &'a BTreeSet<(String, String)>,
}

/// What becomes of the bindings of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The rule.
    pub rule: String,
    /// Bindings to make.
    pub make: Vec<Grant>,
    /// Bindings to remove.
    pub remove: Vec<Standing>,
    /// Bindings that stand as they should, or stay because nothing else can be told.
    pub keep: Vec<Standing>,
    /// Names that are wanted, and another binding has.
    pub taken: Vec<Grant>,
    /// For whom nothing is made, and why.
    pub waits: BTreeMap<Waits, u32>,
    /// So many people get or lose it at once that a human is asked: who left goes all the same.
    pub held: Option<Held>,
}

/// Many people at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many people would get it.
    pub get: usize,
    /// How many who work here would lose it.
    pub lose: usize,
    /// Names exactly what the rule asks for now.
    pub digest: String,
    /// What is not made.
    pub make: Vec<Grant>,
    /// What is not removed.
    pub remove: Vec<Standing>,
}

/// Name of a binding: says nothing, and is another one for other user names or another role, since neither can be changed.
/// It also proves what it names: one that somebody changed since has another name than it would have.
#[must_use]
pub fn name(whose: Whose<'_>, rule: &str, (kind, role): (&str, &str), person: &str, users: &[String]) -> String {
    let lines = ["grant", whose.people, whose.policy, rule, person, kind, role];
    let digest = Sha256::digest(format!("{}\0{}", lines.join("\0"), users.join("\0")));
    let text = data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
    format!("rollcall-grant-{}", text.chars().take(26).collect::<String>())
}

/// Fewer people at once than this are never many.
const FEW: usize = 10;
/// Share of the people who work here above which those who get or lose something at once are many.
const MANY_PERCENT: usize = 5;

fn are_many(people: usize, working: usize) -> bool {
    people >= FEW && people.saturating_mul(100) > working.saturating_mul(MANY_PERCENT)
}

/// What becomes of the bindings of a rule.
///
/// `wishes` are everybody of the policy, each once; `working` is how many of them work here; `approved` are digests that a human
/// named.
///
/// # Guarantees    nothing is made but for a wish that is wanted; nothing is removed that is not standing; of somebody without a
///                 wish, whose Person is gone, what stands stays
#[must_use]
pub fn decide(
    whose: Whose<'_>,
    rule: &Rule,
    wishes: &[(&str, Wish)],
    cluster: Cluster<'_>,
    working: usize,
    approved: &[&str],
) -> Outcome {
    let mut outcome = Outcome { rule: rule.name.clone(), ..Outcome::default() };
    let mut theirs: BTreeMap<&str, Vec<&Standing>> = BTreeMap::new();
    for standing in cluster.standing.iter().filter(|standing| standing.rule == rule.name) {
        theirs.entry(&standing.person).or_default().push(standing);
    }
    let (mut make, mut remove) = (Vec::new(), Vec::new());
    let (mut get, mut lose) = (0, 0);
    for (person, wish) in wishes {
        let stands = theirs.remove(person).unwrap_or_default();
        let wanted = match wish {
            Wish::Wanted(users) => of_person(whose, rule, person, users),
            Wish::Unwanted => Vec::new(),
            Wish::Gone => {
                outcome.remove.extend(stands.into_iter().cloned());
                continue;
            }
            Wish::Stays(why) => {
                *outcome.waits.entry(*why).or_default() += 1;
                outcome.keep.extend(stands.into_iter().cloned());
                continue;
            }
        };
        let is = |grant: &Grant, standing: &Standing| {
            (&grant.namespace, &grant.name) == (&standing.namespace, &standing.name)
        };
        let (kept, not_wanted): (Vec<&Standing>, Vec<&Standing>) =
            stands.iter().copied().partition(|standing| wanted.iter().any(|grant| is(grant, standing)));
        let new = wanted.into_iter().filter(|grant| !kept.iter().any(|standing| is(grant, standing)));
        let (taken, new): (Vec<_>, Vec<_>) =
            new.partition(|grant| cluster.others.contains(&(grant.namespace.clone(), grant.name.clone())));
        // A role, or user names, that are others by now are taken and given; one more namespace is none of that.
        let another = not_wanted.iter().any(|old| new.iter().any(|grant| grant.namespace == old.namespace));
        get += usize::from((stands.is_empty() && !new.is_empty()) || another);
        lose += usize::from(!not_wanted.is_empty());
        outcome.keep.extend(kept.into_iter().cloned());
        outcome.taken.extend(taken);
        make.extend(new);
        remove.extend(not_wanted.into_iter().cloned());
    }
    outcome.keep.extend(theirs.into_values().flatten().cloned()); // their Persons are gone: nobody can tell
    let digest = digest(rule, wishes);
    if (are_many(get, working) || are_many(lose, working)) && !approved.contains(&digest.as_str()) {
        outcome.keep.extend(remove.iter().cloned());
        outcome.held = Some(Held { get, lose, digest, make, remove });
    } else {
        outcome.make = make;
        outcome.remove.extend(remove);
    }
    outcome
}

fn of_person(whose: Whose<'_>, rule: &Rule, person: &str, users: &[String]) -> Vec<Grant> {
    let mut users = users.to_vec();
    users.sort();
    users.dedup();
    let name = name(whose, &rule.name, rule.role.parts(), person, &users);
    let places: BTreeSet<&String> = rule.namespaces.iter().collect();
    let grant = |namespace: &String| Grant {
        namespace: namespace.clone(),
        name: name.clone(),
        rule: rule.name.clone(),
        person: person.to_owned(),
        users: users.clone(),
    };
    places.into_iter().map(grant).collect()
}

/// Names what a rule says and who gets it by it. It stays the same while that is carried out.
fn digest(rule: &Rule, wishes: &[(&str, Wish)]) -> String {
    let (kind, role) = rule.role.parts();
    let mut lines: Vec<String> = wishes
        .iter()
        .filter_map(|(person, wish)| match wish {
            Wish::Wanted(users) => Some(format!("{person} {}", users.join(" "))),
            _ => None,
        })
        .collect();
    lines.sort();
    let head =
        format!("{}\0{}\0{kind}\0{role}\0{}\0{}", rule.name, rule.when, rule.namespaces.join(" "), rule.on_leave);
    let mut text = data_encoding::HEXLOWER.encode(&Sha256::digest(format!("{head}\n{}", lines.join("\n"))));
    text.truncate(12);
    text
}

impl fmt::Display for OnLeave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove => "Remove",
        })
    }
}

#[cfg(test)]
mod tests;
