//! Where a person's day begins and ends: which zone is theirs, what day it is there, and when a termination takes effect.
//!
//! Knows nothing of who a person is. Days are civil days of the person's own zone; instants are the world's.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

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

/// A zone that nobody knows: says where it is written and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timeZones.{field}: {name:?} is no IANA time zone such as Europe/Madrid")]
pub struct UnknownZone {
    /// `default`, or `byLocation`.
    pub field: &'static str,
    /// What is written there.
    pub name: String,
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
}

/// The zones of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zones {
    default: Zone,
    by_location: BTreeMap<String, Zone>,
}

impl Zones {
    /// Reads the zones of a policy: a default, and names by location as the source writes it.
    ///
    /// # Errors
    /// The first name that is no zone.
    pub fn new(default: &str, by_location: &BTreeMap<String, String>) -> Result<Self, UnknownZone> {
        let zone = |field, name: &str| Zone::named(name).ok_or_else(|| UnknownZone { field, name: name.to_owned() });
        let by_location = by_location
            .iter()
            .map(|(location, name)| Ok((location.trim().to_owned(), zone("byLocation", name)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { default: zone("default", default)?, by_location })
    }

    /// The zone of a location; none if no entry names it.
    #[must_use]
    pub fn at(&self, location: &str) -> Option<&Zone> {
        self.by_location.get(location.trim())
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
    fn a_zone_nobody_knows_names_its_field() {
        let by_location = BTreeMap::from([("Moon".to_owned(), "Moon/Tranquility".to_owned())]);
        let unknown = |field, name: &str| Err(UnknownZone { field, name: name.to_owned() });
        assert_eq!(Zones::new("Europe/Atlantis", &BTreeMap::new()), unknown("default", "Europe/Atlantis"));
        assert_eq!(Zones::new("UTC", &by_location), unknown("byLocation", "Moon/Tranquility"));
    }

    #[test]
    fn a_location_picks_its_zone_and_blanks_around_it_do_not_matter() {
        let by_location = BTreeMap::from([("Melbourne".to_owned(), "Australia/Melbourne".to_owned())]);
        let zones = Zones::new("UTC", &by_location).unwrap();
        assert_eq!(zones.at(" Melbourne ").map(Zone::name), Some("Australia/Melbourne"));
        assert_eq!(zones.at("Sidney"), None);
    }
}
