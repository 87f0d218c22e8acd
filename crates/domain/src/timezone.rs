//! Where a person's day begins and ends: which zone is theirs, what day it is there, and when a termination takes effect.
//!
//! Knows nothing of who a person is. Days are civil days of the person's own zone; instants are the world's.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::employee::comparable;
use super::quote::quoted;

/// A time zone by its IANA name.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

/// Why the zones of a policy cannot be used: says where and what is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A zone that nobody knows.
    #[error("timeZones.{field}: {} is no IANA time zone such as Europe/Madrid", quoted(.name))]
    Unknown {
        /// `default`, or `byLocation`.
        field: &'static str,
        /// What is written there.
        name: String,
    },
    /// A location that is named twice, written differently.
    #[error("timeZones.byLocation: {} is named twice; locations are compared without case and surrounding blanks", quoted(.0))]
    Twice(String),
}

impl Zone {
    /// The zone of an IANA name; none if nobody knows it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let rules = TimeZone::get(name).ok()?;
        let name = rules.iana_name().unwrap_or(name).to_owned();
        Some(Self { name, rules })
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The civil day it is there.
    ///
    /// A day that has begun does not un-begin: where clocks go back over midnight, the hour before it comes twice, and
    /// the second time counts to the new day. Otherwise somebody would be a leaver for a minute, then not, then again.
    #[must_use]
    pub fn today(&self, now: Timestamp) -> Date {
        let date = now.to_zoned(self.rules.clone()).date();
        match (date.tomorrow(), self.end_of(date)) {
            (Ok(tomorrow), Some(end)) if end <= now => tomorrow,
            _ => date,
        }
    }

    /// The first instant of a day there, also where that day has no midnight, or does not exist at all.
    #[must_use]
    pub fn start_of(&self, day: Date) -> Option<Timestamp> {
        day.to_zoned(self.rules.clone()).ok().map(|start| start.timestamp())
    }

    /// The first instant after a day there: when a termination with that last day takes effect.
    #[must_use]
    pub fn end_of(&self, day: Date) -> Option<Timestamp> {
        day.tomorrow().ok().and_then(|next| self.start_of(next))
    }

    /// The instant at which a last day of work is over there. A time of day that the clocks leave out is the one after.
    #[must_use]
    pub fn over(&self, day: Date, end: DayEnd) -> Option<Timestamp> {
        match end {
            DayEnd::Midnight => self.end_of(day),
            DayEnd::At(time) => day.to_datetime(time).to_zoned(self.rules.clone()).ok().map(|at| at.timestamp()),
            DayEnd::After(later) => self.end_of(day).and_then(|end| end.checked_add(later).ok()),
        }
    }

    /// The day of work it is there: the first that is not over.
    #[must_use]
    pub fn working_day(&self, now: Timestamp, end: DayEnd) -> Date {
        let today = self.today(now);
        let around = [today.yesterday().unwrap_or(today), today];
        let over = |day: &Date| self.over(*day, end).is_some_and(|over| over <= now);
        around.into_iter().find(|day| !over(day)).or_else(|| today.tomorrow().ok()).unwrap_or(today)
    }
}

/// When a last day of work is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DayEnd {
    /// With the first instant of the next day.
    #[default]
    Midnight,
    /// At a time of that day.
    At(Time),
    /// Some time after midnight, a day at most.
    After(SignedDuration),
}

/// The zones of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zones {
    default: Zone,
    by_location: BTreeMap<String, Zone>,
}

impl Zones {
    /// Reads the zones of a policy: a default, and names by location, which is compared as everywhere in a policy.
    ///
    /// # Errors
    /// The first name that is no zone, or location that is named twice.
    pub fn new(default: &str, by_location: &BTreeMap<String, String>) -> Result<Self, Refused> {
        let zone =
            |field, name: &str| Zone::named(name).ok_or_else(|| Refused::Unknown { field, name: name.to_owned() });
        let mut zones = Self { default: zone("default", default)?, by_location: BTreeMap::new() };
        for (location, name) in by_location {
            if zones.by_location.insert(comparable(location), zone("byLocation", name)?).is_some() {
                return Err(Refused::Twice(location.clone()));
            }
        }
        Ok(zones)
    }

    /// The zone of a location; none if no entry names it.
    #[must_use]
    pub fn at(&self, location: &str) -> Option<&Zone> {
        if self.by_location.is_empty() { None } else { self.by_location.get(&comparable(location)) }
    }

    /// Whether no location is named at all.
    #[must_use]
    pub fn only_the_default(&self) -> bool {
        self.by_location.is_empty()
    }

    /// The zone of everybody else.
    #[must_use]
    pub const fn default_zone(&self) -> &Zone {
        &self.default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    #[test]
    fn a_termination_takes_effect_with_the_first_instant_of_the_next_day_there() {
        let cases = [
            ("plain", "UTC", "2026-03-01", "2026-03-02T00:00:00Z"),
            ("east, the day ends earlier", "Australia/Melbourne", "2026-03-01", "2026-03-01T13:00:00Z"),
            ("west, the day ends later", "America/Los_Angeles", "2026-03-01", "2026-03-02T08:00:00Z"),
            ("the night clocks go forward", "Europe/Madrid", "2026-03-28", "2026-03-28T23:00:00Z"),
            ("the day clocks went forward", "Europe/Madrid", "2026-03-29", "2026-03-29T22:00:00Z"),
            ("the day clocks went back", "Europe/Madrid", "2026-10-25", "2026-10-25T23:00:00Z"),
            ("the next day has no midnight", "Africa/Cairo", "2026-04-23", "2026-04-23T22:00:00Z"),
            ("midnight comes twice", "America/Havana", "2026-10-31", "2026-11-01T04:00:00Z"),
            ("the next day does not exist", "Pacific/Apia", "2011-12-29", "2011-12-30T10:00:00Z"),
            ("clocks go back over midnight", "America/St_Johns", "2010-11-06", "2010-11-07T02:30:00Z"),
        ];
        for (what, name, last_day, expected) in cases {
            let effective = zone(name).end_of(last_day.parse().unwrap());
            assert_eq!(effective, Some(expected.parse().unwrap()), "{what}");
        }
    }

    #[test]
    fn today_turns_exactly_when_the_day_before_ends() {
        let days = [
            ("UTC", "2026-03-01"),
            ("Australia/Melbourne", "2026-04-04"),
            ("America/Los_Angeles", "2026-11-01"),
            ("Europe/Madrid", "2026-03-28"),
            ("Africa/Cairo", "2026-04-23"),
            ("America/Havana", "2026-10-31"),
            ("America/St_Johns", "2010-11-06"),
        ];
        for (name, day) in days {
            let (zone, day): (_, Date) = (zone(name), day.parse().unwrap());
            let end = zone.end_of(day).unwrap();
            assert_eq!(zone.today(end - jiff::SignedDuration::from_millis(1)), day, "{name}: just before");
            for minutes in [0, 1, 30, 90] {
                let later = end + jiff::SignedDuration::from_mins(minutes);
                assert_eq!(zone.today(later), day.tomorrow().unwrap(), "{name}: {minutes} minutes in");
            }
        }
    }

    #[test]
    fn a_last_day_is_over_when_the_policy_says_and_the_next_one_begins_then() {
        let hours = |hours| DayEnd::After(SignedDuration::from_hours(hours));
        let at = |hour| DayEnd::At(jiff::civil::time(hour, 0, 0, 0));
        let cases = [
            ("midnight", "Europe/Madrid", "2026-03-10", DayEnd::Midnight, "2026-03-10T23:00:00Z"),
            ("in the evening", "Europe/Madrid", "2026-03-10", at(18), "2026-03-10T17:00:00Z"),
            ("four hours later", "Europe/Madrid", "2026-03-10", hours(4), "2026-03-11T03:00:00Z"),
            ("a day later", "America/Los_Angeles", "2026-03-10", hours(24), "2026-03-12T07:00:00Z"),
            ("a time the clocks leave out", "Europe/Madrid", "2026-03-29", at(2), "2026-03-29T01:00:00Z"),
            ("four hours after clocks went back", "America/St_Johns", "2010-11-06", hours(4), "2010-11-07T06:30:00Z"),
        ];
        for (what, name, day, end, expected) in cases {
            let (zone, day): (_, Date) = (zone(name), day.parse().unwrap());
            let over = zone.over(day, end).unwrap();
            assert_eq!(over, expected.parse().unwrap(), "{what}");
            assert_eq!(zone.working_day(over - SignedDuration::from_millis(1), end), day, "{what}: just before");
            assert_eq!(zone.working_day(over, end), day.tomorrow().unwrap(), "{what}: then");
        }
    }

    #[test]
    fn a_zone_nobody_knows_names_its_field() {
        let by_location = BTreeMap::from([("Moon".to_owned(), "Moon/Tranquility".to_owned())]);
        let unknown = |field, name: &str| Err(Refused::Unknown { field, name: name.to_owned() });
        assert_eq!(Zones::new("Europe/Atlantis", &BTreeMap::new()), unknown("default", "Europe/Atlantis"));
        assert_eq!(Zones::new("UTC", &by_location), unknown("byLocation", "Moon/Tranquility"));
    }

    #[test]
    fn a_location_is_compared_without_case_and_blanks_as_everywhere_in_a_policy() {
        let by_location = [("Melbourne", "Australia/Melbourne"), ("ÎLE-DE-FRANCE ", "Europe/Paris")]
            .map(|(l, z)| (l.into(), z.into()));
        let zones = Zones::new("UTC", &by_location.into()).unwrap();
        let cases = [
            (" Melbourne ", Some("Australia/Melbourne")),
            ("MELBOURNE", Some("Australia/Melbourne")),
            ("Île-de-France", Some("Europe/Paris")),
            ("Sidney", None),
            ("", None),
        ];
        for (location, expected) in cases {
            assert_eq!(zones.at(location).map(Zone::name), expected, "{location}");
        }
    }

    #[test]
    fn a_location_that_is_named_twice_is_refused() {
        let twice = [("Oslo", "Europe/Oslo"), ("oslo ", "UTC")].map(|(l, z)| (l.into(), z.into()));
        assert_eq!(Zones::new("UTC", &twice.into()), Err(Refused::Twice("oslo ".into())));
    }
}
