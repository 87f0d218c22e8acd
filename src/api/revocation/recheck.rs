//! The checks of a Revocation after its end: whether what was ended works again.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Verdict;

/// The last check after the end, and the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recheck {
    /// How many of the times (a minute, an hour, a day and a week after `confirmed`) have passed.
    pub stage: u32,
    /// When it is checked next, in UTC; absent after the last check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// When it was last checked, in UTC; absent before the first check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How many things were asked about then: targets, Secrets that got new values, user names that are frozen, token Secrets that were made again.
    #[serde(default)]
    pub asked: u32,
    /// About how many of these nothing could be seen, such as in a namespace that took back its consent.
    #[serde(default)]
    pub unknown: u32,
    /// What `unknown` counts, each with why nothing can be told, such as a Secret that another field manager has written since it got a new
    /// value: the old one may be back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub unproved: Vec<Verdict>,
    /// What works again, each with what was seen. Empty where everything is still refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub refuted: Vec<Verdict>,
}

impl Recheck {
    /// Most entries of `refuted`, and of `unproved`.
    pub const MOST: usize = 32;
}
