//! The days of a pass: what day it is, and was when the answer was taken, in each zone people live in; each zone once.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::super::lifecycle::{Facts, State};
use super::super::timezone::{DayEnd, Zone, Zones};
use super::Employment;

/// The days of a pass.
pub(super) struct Calendar<'a> {
    zones: &'a Zones,
    end: DayEnd,
    pub(super) now: Timestamp,
    pub(super) taken: Option<Timestamp>,
    days: BTreeMap<String, Rc<Day>>,
}

/// What day of work it is in one zone.
pub(super) struct Day {
    pub(super) zone: Zone,
    pub(super) today: Date,
    /// The day on which the answer was taken; today without one.
    pub(super) taken: Date,
    end: DayEnd,
}

impl<'a> Calendar<'a> {
    pub(super) const fn new(zones: &'a Zones, end: DayEnd, now: Timestamp, taken: Option<Timestamp>) -> Self {
        Self { zones, end, now, taken, days: BTreeMap::new() }
    }

    /// The day at a location, and whether an entry of the policy names that location. Of somebody without one nobody can
    /// tell where they are: only a policy that names no location at all says that everybody is in one zone.
    pub(super) fn at(&mut self, location: Option<&str>) -> (Rc<Day>, bool) {
        let zones = self.zones;
        let location = location.map(str::trim).filter(|location| !location.is_empty());
        let zone = location.and_then(|location| zones.at(location));
        let matched = zone.is_some() || (location.is_none() && zones.only_the_default());
        (self.day(zone.unwrap_or_else(|| zones.default_zone())), matched)
    }

    /// The day in a zone by its stored name; in the default zone if nobody knows the name any more.
    pub(super) fn named(&mut self, name: &str) -> Rc<Day> {
        if let Some(day) = self.days.get(name) {
            return Rc::clone(day);
        }
        match Zone::named(name) {
            Some(zone) => self.day(&zone),
            None => self.day(self.zones.default_zone()),
        }
    }

    fn day(&mut self, zone: &Zone) -> Rc<Day> {
        if let Some(day) = self.days.get(zone.name()) {
            return Rc::clone(day);
        }
        let today = zone.working_day(self.now, self.end);
        let taken = self.taken.map_or(today, |taken| zone.today(taken));
        let day = Rc::new(Day { zone: zone.clone(), today, taken, end: self.end });
        self.days.insert(zone.name().to_owned(), Rc::clone(&day));
        day
    }
}

impl Day {
    /// The instant at which a day of work is over.
    pub(super) fn over(&self, day: Date) -> Option<Timestamp> {
        self.zone.over(day, self.end)
    }

    /// The next instant at which the dates of an employment say something new: after its last day, or on its first.
    pub(super) fn next_turn(&self, employment: &Employment) -> Option<Timestamp> {
        if employment.state.state == State::Terminated {
            return None;
        }
        let Facts { last_day, announced, contract_end, .. } = employment.facts;
        let days = [last_day, announced, contract_end].into_iter().flatten();
        let ends = days.filter(|day| *day >= self.today).min().and_then(|day| self.over(day));
        let starts = employment.facts.start.filter(|day| *day > self.today);
        let starts = starts.and_then(|day| day.yesterday().ok()).and_then(|before| self.over(before));
        [ends, starts].into_iter().flatten().min()
    }
}
