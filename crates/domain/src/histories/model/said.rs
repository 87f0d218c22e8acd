//! What trusted answers said of one record, and what that says today.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};

use super::super::company::madrid;
use crate::employee::{Employee, ReportedStatus, Status, Text};

/// What was last said of a record.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) status: ReportedStatus,
    /// The last that was said of themselves, and not of another human by their id.
    own_status: ReportedStatus,
    pub(super) start: Option<Date>,
    pub(super) last_day: Option<Date>,
    pub(super) urgent: bool,
    pub(super) name: String,
    /// What is said since name, address and first day are all other ones than before: as if it were a new record, which it is
    /// once a human says so.
    pub(super) of_another_human: Option<Box<Said>>,
    pub(super) address: String,
    pub(super) department: String,
    /// No Person links the record: what was said of it is remembered nowhere.
    pub(super) forgotten: bool,
    /// The day on which that was said, and whether later answers no longer name it.
    pub(super) at: Date,
    pub(super) missing: bool,
    /// The last day that stands as announced.
    pub(super) announced: Option<Date>,
    /// Each last day that was named while it was still to come: when first, and when last, by
    /// whatever the clock said.
    pub(super) named: BTreeMap<Date, (Timestamp, Timestamp)>,
}

impl Said {
    pub(super) fn ended(&self, today: Date) -> bool {
        let passed = self.last_day.is_some_and(|day| day < today);
        let announced = self.announced.is_some_and(|day| day < today);
        let anew = self.start.zip(self.last_day).is_some_and(|(start, last)| last < start && start <= today);
        let bridged = self
            .start
            .zip(self.last_day)
            .is_some_and(|(start, last)| last < start && start <= last.saturating_add(Span::new().days(3)));
        let ended = match self.status {
            ReportedStatus::Unmapped => false,
            ReportedStatus::Mapped(Status::Terminated) => self.urgent || passed || self.last_day.is_none(),
            ReportedStatus::Silent => passed,
            ReportedStatus::Mapped(_) => passed && announced,
        };
        ended && !anew && !bridged
    }

    /// Whether it says plainly that they are at work: neither on leave, nor with anything odd about it.
    pub(super) fn is_at_work(&self, today: Date) -> bool {
        let says = matches!(self.status, ReportedStatus::Mapped(Status::Active) | ReportedStatus::Silent);
        let begun = self.start.is_none_or(|start| start <= today && start <= self.at);
        let goes_on = self.last_day.is_none_or(|last| last >= today || self.start.is_some_and(|start| last < start));
        says && begun && goes_on && self.of_another_human.is_none()
    }

    /// Whether it begins later, so much later than the end of another one that the gap is an exit; or never began.
    pub(super) fn is_no_bridge(&self, ended: &[&Self], today: Date) -> bool {
        let Some(start) = self.start.filter(|_| self.status != ReportedStatus::Unmapped) else { return false };
        let passed = |one: &Self| one.last_day.filter(|last| *last < today); // who is dismissed at once left before it
        let gap = |one: &&Self| passed(one).is_none_or(|last| start > last.saturating_add(Span::new().days(3)));
        // A last day before the first is the end of an earlier employment by the same record.
        let earlier = self.last_day.filter(|last| *last < start);
        let exit = earlier.is_none_or(|last| start > last.saturating_add(Span::new().days(3)));
        let never_began = self.missing && start > self.at && earlier.is_none();
        !ended.is_empty() && if start > today { exit && ended.iter().all(gap) } else { never_began }
    }

    /// Whether two answers about a day apart named a last day that has passed.
    pub(super) fn announced_twice(&self, today: Date) -> bool {
        let mut passed = self.named.iter().filter(|(day, _)| **day < today);
        passed.any(|(_, (first, last))| last.duration_since(*first) >= SignedDuration::from_hours(20))
    }
}

/// What an answer says of a record, after what was said before. `vouched` is that its address is one of the human's own, whatever else
/// changed.
pub(super) fn said(one: &Employee, earlier: Option<&Said>, vouched: bool, now: Timestamp) -> Said {
    let today = madrid(now);
    let terminated = ReportedStatus::Mapped(Status::Terminated);
    let another_human = |earlier: &&Said| {
        !vouched && earlier.name != one.name && earlier.address != one.work_email && earlier.start != one.start
    };
    // Of a record that may be another human's now, nothing is taken over but that it may have ended.
    if let Some(earlier) = earlier.filter(another_human) {
        let (status, last_day, urgent) = (one.reported_status, one.last_day, one.urgent);
        let of_another_human = Some(Box::new(said(one, earlier.of_another_human.as_deref(), vouched, now)));
        return Said { status, last_day, urgent, of_another_human, ..earlier.clone() };
    }
    let came_back =
        earlier.is_some_and(|earlier| earlier.own_status == terminated) && one.reported_status != terminated;
    let mut named = earlier.map(|earlier| earlier.named.clone()).unwrap_or_default();
    let earlier = earlier.filter(|_| !came_back);
    let ahead = one.last_day.filter(|day| *day >= today);
    let stands = earlier.and_then(|earlier| earlier.announced);
    if let Some(day) = ahead {
        named
            .entry(day)
            .and_modify(|(first, last)| (*first, *last) = (now.min(*first), now.max(*last)))
            .or_insert((now, now));
    }
    Said {
        status: one.reported_status,
        own_status: one.reported_status,
        start: one.start,
        last_day: one.last_day,
        urgent: one.urgent,
        name: one.name.clone(),
        of_another_human: None,
        forgotten: false,
        address: one.work_email.clone(),
        department: one.text(Text::Department).unwrap_or_default().to_owned(),
        at: today,
        missing: false,
        announced: one.last_day.and_then(|_| ahead.or(stands)),
        named,
    }
}
