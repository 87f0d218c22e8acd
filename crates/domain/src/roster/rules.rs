//! What a policy says that a pass goes by.

use std::sync::LazyLock;

use super::{Matching, Modes, Run};
use crate::employee::{Employee, HrId};
use crate::lifecycle::Terms;
use crate::moves::MoveTerms;
use crate::scope::Scope;
use crate::timezone::{DayEnd, Zones};

/// Whether leavers of this pass act by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// A baseline is settled and still fits the policy.
    Settled,
    /// This pass is the baseline: everybody who has left needs approval.
    Now,
    /// There is none, or it fits no longer, and no answer to make one: nobody becomes a leaver.
    Awaited,
}

impl Baseline {
    /// Compares what the settled baseline was made of with what one would be made of now.
    #[must_use]
    pub fn of(settled: Option<&str>, current: Option<&str>, answered: bool) -> Self {
        match (settled, current) {
            (Some(settled), Some(current)) if settled == current => Self::Settled,
            _ if answered => Self::Now,
            _ => Self::Awaited,
        }
    }
}

/// A connection that took the place of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The one before.
    pub from: String,
    /// The one in its place.
    pub by: String,
    /// It is the same HR system under another name, and gives the same ids.
    pub same_ids: bool,
}

/// What a policy says of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It says who works here and who has left.
    Employment,
    /// It tells more of people who are known, and nothing of whether they work here.
    Corroborating,
    /// It is not read any more: a connection of the policy took its place.
    Replaced,
    /// The policy does not read it. Nothing can be told of a record of it.
    Unread,
}

/// What is said of a connection by its name, or of a key.
pub type OfName<'a, T> = Box<dyn Fn(&str) -> T + Sync + 'a>;
/// Whether something is so of a record, by connection and id.
pub type OfRecord<'a> = Box<dyn Fn(&str, &HrId) -> bool + Sync + 'a>;
/// The user names of an employee of a connection.
pub type UserNames<'a> = Box<dyn Fn(&str, &Employee) -> Vec<String> + Sync + 'a>;

/// What a policy says.
pub struct Rules<'a> {
    /// Namespace of the people.
    pub namespace: &'a str,
    /// What the policy says of a connection.
    pub role: OfName<'a, Role>,
    /// The place of a connection in the policy's order.
    pub rank: OfName<'a, usize>,
    /// Which connections took the place of others.
    pub migrations: &'a [Migration],
    /// By what a record that no Person links is matched to one.
    pub matching: &'a Matching,
    /// What it says of ends and gaps.
    pub terms: Terms,
    /// For how many days an account of a connection must be off before its person has left; none of a connection that says itself
    /// who has left.
    pub off_days: OfName<'a, Option<i32>>,
    /// When a last day of work is over.
    pub day_end: DayEnd,
    /// Whether a record is another policy's, by connection and id: a Person of it links the record, or would.
    pub elsewhere: OfRecord<'a>,
    /// Whether a record is of somebody who is in the scope of two policies: nothing new is decided of them.
    pub contested: OfRecord<'a>,
    /// Name of the policy.
    pub policy: &'a str,
    /// Its uid.
    pub policy_uid: &'a str,
    /// Its zones.
    pub zones: &'a Zones,
    /// The user names an employee of a connection signs in with.
    pub usernames: UserNames<'a>,
    /// What it keeps of people for showing.
    pub fields: &'a Modes,
    /// What it says of moves.
    pub moves: &'a MoveTerms,
    /// Whom it is about.
    pub scope: &'a Scope,
    /// Whether anything in the cluster is marked with, or bound to, a key such as `id:hq/7`, `email:…` or `user:…`; none
    /// where that is not known yet.
    pub owns: Option<OfName<'a, bool>>,
    /// Only who owns something gets a Person.
    pub holders_only: bool,
    /// The runs it has, oldest first.
    pub runs: &'a [Run],
    /// A connection of the policy has had no trusted answer for too long: it might know that somebody works on.
    pub stale: bool,
    /// Whether leavers of a connection act by themselves.
    pub baseline: OfName<'a, Baseline>,
}

/// What a policy says that says nothing of it.
static UNSAID: LazyLock<(Matching, Modes, MoveTerms, Scope)> = LazyLock::new(Default::default);

impl<'a> Rules<'a> {
    /// What a policy says that says no more than its zones, before its baseline: everybody is in its scope, and each connection is one of
    /// employments.
    #[must_use]
    pub fn of(namespace: &'a str, policy: &'a str, zones: &'a Zones) -> Self {
        let (matching, fields, moves, scope) = &*UNSAID;
        Self {
            namespace,
            role: Box::new(|_| Role::Employment),
            rank: Box::new(|_| 0),
            migrations: &[],
            matching,
            terms: Terms::default(),
            off_days: Box::new(|_| None),
            day_end: DayEnd::default(),
            elsewhere: Box::new(|_, _| false),
            contested: Box::new(|_, _| false),
            policy,
            policy_uid: "",
            zones,
            usernames: Box::new(|_, _| Vec::new()),
            fields,
            moves,
            scope,
            owns: None,
            holders_only: false,
            runs: &[],
            stale: false,
            baseline: Box::new(|_| Baseline::Awaited),
        }
    }

    /// What the policy says of ends and gaps of the records of a connection.
    pub(super) fn terms_of(&self, connection: &str) -> Terms {
        Terms { off_days: (self.off_days)(connection), ..self.terms }
    }
}
