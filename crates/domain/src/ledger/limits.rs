//! How much may be acted on without a human, and over which time.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// Leavers.
    People,
    /// Objects that plans act on.
    Objects,
    /// Accounts among these that something runs as.
    Workloads,
}

impl What {
    /// All of it, in the order in which it is told.
    pub const ALL: [Self; 3] = [Self::People, Self::Objects, Self::Workloads];

    /// So many, in words.
    #[must_use]
    pub fn count(self, number: u32) -> String {
        let (one, many) = match self {
            Self::People => ("leaver", "leavers"),
            Self::Objects => ("object", "objects"),
            Self::Workloads => ("workload account", "workload accounts"),
        };
        format!("{number} {}", if number == 1 { one } else { many })
    }
}

/// How much of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "[u32; 3]", from = "[u32; 3]")]
pub struct Sums {
    /// People.
    pub people: u32,
    /// Objects.
    pub objects: u32,
    /// Workload accounts.
    pub workloads: u32,
}

impl From<Sums> for [u32; 3] {
    fn from(sums: Sums) -> Self {
        [sums.people, sums.objects, sums.workloads]
    }
}

impl From<[u32; 3]> for Sums {
    fn from([people, objects, workloads]: [u32; 3]) -> Self {
        Self { people, objects, workloads }
    }
}

impl Sums {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            people: self.people.saturating_add(other.people),
            objects: self.objects.saturating_add(other.objects),
            workloads: self.workloads.saturating_add(other.workloads),
        }
    }

    /// How much of this.
    #[must_use]
    pub const fn of(self, what: What) -> u32 {
        match what {
            What::People => self.people,
            What::Objects => self.objects,
            What::Workloads => self.workloads,
        }
    }

    /// Whether it is nothing.
    pub(super) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// As much as this may be released within this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The time.
    pub within: SignedDuration,
    /// How much.
    pub most: u32,
}

/// How much may be released without a human; each of the windows holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of people.
    pub people: Vec<Window>,
    /// Of objects.
    pub objects: Vec<Window>,
    /// Of workload accounts.
    pub workloads: Vec<Window>,
}

impl Limits {
    /// The windows of what is counted.
    #[must_use]
    pub fn of(&self, what: What) -> &[Window] {
        match what {
            What::People => &self.people,
            What::Objects => &self.objects,
            What::Workloads => &self.workloads,
        }
    }

    /// The limit that one plan is over by itself, whatever else was released: it can never be released with others.
    #[must_use]
    pub(super) fn over_alone(&self, scope: Scope, asked: Sums) -> Option<Over> {
        let windows = [What::Objects, What::Workloads]
            .into_iter()
            .flat_map(|what| self.of(what).iter().map(move |window| Over::new(scope, what, *window, asked.of(what))));
        windows.filter(|over| over.would > over.most).min_by_key(|over| over.most)
    }
}

/// The limits of a policy, and those of the whole installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Of the policy.
    pub policy: Limits,
    /// Of all policies together.
    pub cluster: Limits,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// The policy's.
    Policy,
    /// The whole installation's, above all policies.
    Cluster,
}

/// The limit that a batch was over when it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Over {
    /// Whose.
    pub scope: Scope,
    /// Of what.
    pub what: What,
    /// Hours of the window.
    pub hours: u32,
    /// How much it would have been.
    pub would: u32,
    /// How much may be.
    pub most: u32,
}

impl Over {
    pub(super) fn new(scope: Scope, what: What, window: Window, would: u32) -> Self {
        let hours = u32::try_from(window.within.as_hours()).unwrap_or_default();
        Self { scope, what, hours, would, most: window.most }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.scope {
            Scope::Policy => "the policy's limit",
            Scope::Cluster => "the limit for all policies together",
        };
        let time = match self.hours {
            24 => "a day".to_owned(),
            168 => "a week".to_owned(),
            hours if hours % 24 == 0 => format!("{} days", hours / 24),
            hours => format!("{hours} hours"),
        };
        write!(f, "{} within {time}, and {of} is {}", self.what.count(self.would), self.most)
    }
}

/// `percent` of `known`, but no fewer than `at_least`, and no more than `at_most` where one is set.
#[must_use]
pub fn allowed(percent: u32, at_least: u32, at_most: Option<u32>, known: u32) -> u32 {
    let share = u64::from(percent) * u64::from(known) / 100;
    u32::try_from(share).unwrap_or(u32::MAX).max(at_least).min(at_most.unwrap_or(u32::MAX))
}
