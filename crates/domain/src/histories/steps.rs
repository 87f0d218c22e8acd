//! What may happen, as a story is made of it and as it is printed.

use std::fmt;

use proptest::prelude::*;

use super::cluster::Leave;
use crate::roster::Says;

/// What goes wrong with an answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    /// A part is refused with 403.
    Forbidden,
    /// Nobody, with status 200.
    Empty,
    /// A file that ends within a line.
    Cut,
    /// A file of which half is there, in whole lines.
    HalfWritten,
    /// A page is missing, and the total is as it was.
    LostPage,
    /// Only one department.
    Filter,
    /// Only who has not left: what some credentials can see.
    OnlyWhoWorks,
    /// What it said so many answers ago.
    Stale(u8),
    /// A record twice, and the second time as a leaver.
    Duplicate(u8),
    /// From this one on, nobody's status is mapped.
    Unmapped(u8),
    /// Some records cannot be read.
    Bad(u8),
    /// As many people of another company.
    Tenant,
    /// A column moved by a row: ids, addresses, or statuses and last days.
    Shifted(u8),
    /// No lie: an answer that names only some, and says so.
    Changes(u8),
}

/// What a crash leaves of the memory of the trust gate.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left {
    All,
    /// That of an earlier answer, as from a backup.
    Old,
    Nothing,
}

/// One step of a history. Numbers stand for whoever or whichever is there.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Hired(u8, i8),
    Notice(u8, i8),
    Gone(u8, u8),
    Urgent(u8),
    Withdrawn(u8),
    OnLeave(u8),
    Back(u8),
    Rehired(u8, bool, u8, i8),
    Readdressed(u8),
    Successor(u8, u8),
    Moved(u8),
    Transferred(u8),
    Vanishes(u8),
    Replaced(u8),
    Read(u8, Lie),
    /// The system of somebody is read.
    ReadOf(u8),
    Pass,
    Later(u8),
    Clock(i8),
    Crash(u8, u8, Left),
    Approve,
    Accept(u8),
    Hold(u8, u8),
    HoldLifted(u8),
    LeaveNow(u8, Option<i8>, u8),
    Stays(u8, Says, u8),
    WordWithdrawn(u8),
    RevokeNow(u8, bool),
    Rejected(u8, bool),
    OfLeave(u8, Leave),
    Rescoped(u8),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hired(source, days) => write!(f, "somebody is hired by {source}, from day +{days}"),
            Self::Notice(who, days) => write!(f, "{who} gets a last day, {days} days from now"),
            Self::Gone(who, days) => write!(f, "{who} was terminated {days} days ago"),
            Self::Urgent(who) => write!(f, "{who} is dismissed at once"),
            Self::Withdrawn(who) => write!(f, "{who} stays after all"),
            Self::OnLeave(who) => write!(f, "{who} goes on leave"),
            Self::Back(who) => write!(f, "{who} is back from leave"),
            Self::Rehired(who, new_id, source, days) => {
                write!(f, "{who} is hired again by {source}, new id: {new_id}, from day +{days}")
            }
            Self::Readdressed(who) => write!(f, "{who} gets another address"),
            Self::Successor(who, source) => write!(f, "somebody new at {source} gets the address of {who}"),
            Self::Moved(who) => write!(f, "{who} moves into scope or out of it"),
            Self::Transferred(who) => write!(f, "{who} goes to the other part of the company, or back"),
            Self::Vanishes(who) => write!(f, "{who} is no longer listed, or is again"),
            Self::Replaced(source) => write!(f, "the HR system {source} is replaced"),
            Self::Read(source, lie) => write!(f, "{source} is read: {lie:?}"),
            Self::ReadOf(who) => write!(f, "the HR system of {who} is read"),
            Self::Pass => write!(f, "a pass"),
            Self::Later(hours) => write!(f, "{hours} hours later"),
            Self::Clock(days) => write!(f, "the clock jumps by {days} days"),
            Self::Crash(source, writes, left) => {
                write!(f, "{source} is read, and the pass dies after {writes} writes, memory: {left:?}")
            }
            Self::Approve => write!(f, "everything that waits is approved"),
            Self::Accept(source) => write!(f, "{source} is read, and accepted"),
            Self::Hold(who, hours) => write!(f, "a human holds {who} for {hours} hours"),
            Self::HoldLifted(who) => write!(f, "the hold on {who} is lifted"),
            Self::LeaveNow(who, days, lasts) => {
                write!(f, "a human says that {who} leaves, last day {days:?} days from now, for {lasts} days")
            }
            Self::Stays(who, says, lasts) => write!(f, "a human says that {who} is {says:?}, for {lasts} days"),
            Self::WordWithdrawn(who) => write!(f, "the word about {who} is withdrawn"),
            Self::RevokeNow(who, freezes) => write!(f, "a human revokes what is {who}'s, freeze: {freezes}"),
            Self::Rejected(who, rejected) => write!(f, "a human says no to every plan about {who}: {rejected}"),
            Self::OfLeave(policy, leave) => write!(f, "the policy {policy} says of a leave: {leave:?}"),
            Self::Rescoped(policy) => write!(f, "the policy {policy} gets another scope"),
        }
    }
}

fn any_lie() -> impl Strategy<Value = Lie> {
    let who = any::<u8>;
    prop_oneof![
        8 => Just(Lie::None),
        1 => Just(Lie::Forbidden),
        1 => Just(Lie::Empty),
        1 => Just(Lie::Cut),
        1 => Just(Lie::HalfWritten),
        1 => Just(Lie::LostPage),
        1 => Just(Lie::Filter),
        1 => Just(Lie::OnlyWhoWorks),
        1 => (0_u8..4).prop_map(Lie::Stale),
        1 => who().prop_map(Lie::Duplicate),
        1 => who().prop_map(Lie::Unmapped),
        1 => who().prop_map(Lie::Bad),
        1 => Just(Lie::Tenant),
        2 => who().prop_map(Lie::Shifted),
        1 => who().prop_map(Lie::Changes),
    ]
}

/// What a human says to Rollcall.
fn any_word() -> impl Strategy<Value = Step> {
    let who = any::<u8>;
    let stays = prop_oneof![2 => Just(Says::Active), 1 => Just(Says::Leave), 1 => Just(Says::Suspended)];
    let last_day = proptest::option::of(-2_i8..5);
    prop_oneof![
        3 => (who(), 1_u8..120).prop_map(|(who, hours)| Step::Hold(who, hours)),
        1 => who().prop_map(Step::HoldLifted),
        3 => (who(), last_day, 1_u8..9).prop_map(|(who, days, lasts)| Step::LeaveNow(who, days, lasts)),
        3 => (who(), stays, 1_u8..9).prop_map(|(who, says, lasts)| Step::Stays(who, says, lasts)),
        1 => who().prop_map(Step::WordWithdrawn),
        2 => (who(), any::<bool>()).prop_map(|(who, freezes)| Step::RevokeNow(who, freezes)),
        2 => (who(), proptest::bool::weighted(0.7)).prop_map(|(who, rejected)| Step::Rejected(who, rejected)),
        1 => (who(), any_leave()).prop_map(|(policy, leave)| Step::OfLeave(policy, leave)),
        2 => who().prop_map(Step::Rescoped),
    ]
}

/// What a policy says of a leave.
pub(super) fn any_leave() -> impl Strategy<Value = Leave> {
    prop_oneof![2 => Just(Leave::Keep), 2 => Just(Leave::Freeze), 1 => Just(Leave::Cut)]
}

/// Steps that would seldom come in this order by themselves, so that some of a few stories reach what they are about.
fn any_scene() -> impl Strategy<Value = Vec<Step>> {
    use Step::{Gone, Hold, HoldLifted, Moved, OfLeave, OnLeave, ReadOf, Rejected, Transferred};
    let acts = prop_oneof![Just(Leave::Freeze), Just(Leave::Cut)];
    prop_oneof![
        // A plan that could be carried out, and a human says no to it.
        any::<u8>().prop_map(|who| vec![Hold(who, 9), Gone(who, 0), ReadOf(who), Rejected(who, true), HoldLifted(who)]),
        // Somebody comes into scope, and is on leave already.
        (any::<u8>(), acts).prop_map(|(who, leave)| {
            vec![OfLeave(who, leave), Moved(who), ReadOf(who), Moved(who), OnLeave(who), ReadOf(who)]
        }),
        // Somebody leaves, and goes to the other part of the company in the same breath.
        any::<u8>().prop_map(|who| vec![Transferred(who), Gone(who, 0), ReadOf(who)]),
    ]
}

/// What happens in a story.
pub(super) fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let some = prop_oneof![30 => any_step().prop_map(|step| vec![step]), 1 => any_scene()];
    proptest::collection::vec(some, 1..33).prop_map(|some| some.concat())
}

/// Any step.
fn any_step() -> impl Strategy<Value = Step> {
    let who = any::<u8>;
    let left = prop_oneof![3 => Just(Left::All), 1 => Just(Left::Old), 1 => Just(Left::Nothing)];
    prop_oneof![
        2 => (who(), 0_i8..4).prop_map(|(source, days)| Step::Hired(source, days)),
        4 => (who(), -3_i8..9).prop_map(|(who, days)| Step::Notice(who, days)),
        4 => (who(), 0_u8..4).prop_map(|(who, days)| Step::Gone(who, days)),
        1 => who().prop_map(Step::Urgent),
        2 => who().prop_map(Step::Withdrawn),
        3 => who().prop_map(Step::OnLeave),
        2 => who().prop_map(Step::Back),
        3 => (who(), any::<bool>(), who(), 0_i8..6).prop_map(|(who, id, source, days)| Step::Rehired(who, id, source, days)),
        1 => who().prop_map(Step::Readdressed),
        1 => (who(), who()).prop_map(|(who, source)| Step::Successor(who, source)),
        1 => who().prop_map(Step::Moved),
        1 => who().prop_map(Step::Transferred),
        2 => who().prop_map(Step::Vanishes),
        1 => who().prop_map(Step::Replaced),
        14 => (who(), any_lie()).prop_map(|(source, lie)| Step::Read(source, lie)),
        2 => Just(Step::Pass),
        8 => (1_u8..60).prop_map(Step::Later),
        1 => (-4_i8..5).prop_map(Step::Clock),
        3 => (who(), 0_u8..8, left).prop_map(|(source, writes, left)| Step::Crash(source, writes, left)),
        2 => Just(Step::Approve),
        2 => who().prop_map(Step::Accept),
        12 => any_word(),
    ]
}
